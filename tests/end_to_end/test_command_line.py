"""The command line: output, JSON, exit codes, and errors without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from flow import SHAPES, Compile, model_folder

from tvm_embbert.compiled import CompiledModel

DATA = Path(__file__).parent.parent / "data"


def command(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tvm_embbert.cli", *map(str, arguments)]
    done = subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def as_json(*arguments: object, stdin: str = "") -> object:
    done = command(*arguments, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model's folder: compiling it takes a few seconds."""
    return model_folder(SHAPES[0], tmp_path_factory.mktemp("models") / "small")


@pytest.mark.parametrize("name", ["", "targets", "compile", "run", "validate", "monitor", "demo"])
def test_help(name: str) -> None:
    done = command(*name.split(), "--help")
    assert done.returncode == 0
    assert "exit codes" in done.stdout.lower()


def test_targets_lists_boards_and_devices() -> None:
    rows = as_json("targets")
    assert isinstance(rows, list)
    named = {row["name"]: row for row in rows}
    assert named["mps3-an547"]["core"] == "cortex-m55"
    assert named["nrf52840"]["ram_budget"] == 256 * 1024
    table = command("targets").stdout
    assert "nrf52840" in table
    assert "dtcm + axi_sram" in table


def test_targets_lists_pools() -> None:
    rows = as_json("targets")
    assert isinstance(rows, list)
    named = {row["name"]: row for row in rows}
    fast, slow = named["stm32h743"]["pools"]
    assert fast == {
        "name": "dtcm", "memory": "dtcm", "size": 128 * 1024, "latency": 1, "reach": ["cpu"],
    }  # fmt: skip
    assert slow["size"] == 512 * 1024
    assert named["stm32h743"]["ram_budget"] == 640 * 1024
    assert named["stm32h743"]["system_memory"] == "axi_sram"
    assert named["stm32h743"]["weights_memory"] == "flash"
    assert named["stm32h743"]["weights_copied"] is False


@pytest.mark.emulator
def test_compile_run_and_validate(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = as_json("compile", "snips", "--target", "mps3-an547", "--out", out)
    assert isinstance(report, dict)
    assert report == json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert 30_000 < (out / "report.html").stat().st_size < 300_000
    steps = report["instructions"]["per_operator"]
    assert sum(s["instructions"] for s in steps) == pytest.approx(
        report["instructions"]["per_inference"], rel=0.001
    )
    assert {"arena", "stack", "static", "total", "budget"} <= report["memory"]["ram"].keys()
    assert {"weights", "code", "tokenizer", "total", "budget"} <= report["memory"]["flash"].keys()

    answers = as_json("run", out, "--text", "play some jazz", "--text", "will it rain in Rome")
    assert isinstance(answers, list)
    assert [a["label"] for a in answers] == ["PlayMusic", "GetWeather"]
    counts = {"instructions", "cycles"}
    assert answers[0].keys() == {"text", "tokens", "label", "score", "logits", *counts}
    piped = as_json("run", out, stdin="play some jazz\n\nwill it rain in Rome\n")
    assert piped == answers

    result = as_json("validate", out, "--data", DATA / "snips_test.tsv.gz", "--limit", 7)
    assert isinstance(result, dict)
    assert result["rows"] == result["identical_rows"] == 7
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["accuracy"] == result
    assert 'id="accuracy"' in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.host
def test_explain_and_overrides(small: Path, tmp_path: Path) -> None:
    shared = ("compile", small, "--target", "host")
    done = command(
        *shared, "--out", tmp_path / "out", "--explain", "--use", "linear=linear.portable"
    )
    assert done.returncode == 0, done.stderr
    assert "linear.portable" in done.stdout
    assert "asked for" in done.stdout
    wrong = command(*shared, "--out", tmp_path / "no", "--use", "linear=linear.portible")
    assert wrong.returncode == 2
    assert "Did you mean linear.portable?" in wrong.stderr
    assert not (tmp_path / "no").exists()


@pytest.mark.host
def test_image_that_differs_exits_with_seven(compiled_for: Compile, tmp_path: Path) -> None:
    import shutil

    broken = Path(shutil.copytree(compiled_for("host").folder, tmp_path / "broken"))
    path = broken / "integer.json"
    metadata = json.loads((broken / "compiled.json").read_text(encoding="utf-8"))
    metadata["pad_token"] = 90  # the reference now leaves out a token that the image computes
    (broken / "compiled.json").write_text(json.dumps(metadata), encoding="utf-8")
    data = tmp_path / "data.tsv"
    data.write_text("jazz play\tPlayMusic\nrain in rome\tGetWeather\n", encoding="utf-8")
    done = command("validate", broken, "--data", data)
    assert path.is_file()
    assert done.returncode == 7, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("compile", "no-such", "--target", "host"), 3, "no-such"),
        (("compile", "snips", "--target", "hots"), 3, "Did you mean"),
        (("compile", "snips", "--target", "missing.toml"), 3, "missing.toml"),
        (("compile", "snips", "--target", "host", "--max-length", "257"), 2, "257"),
        (("compile", "snips", "--target", "host", "--max-length", "0"), 2, "0 tokens"),
        (("compile", "snips", "--target", "host", "--calibration", "none.txt"), 3, "none.txt"),
        (("compile", "snips", "--target", "host", "--strategy", "none.py"), 3, "none.py"),
        (("compile", "snips", "--target", "host", "--ram", "12 parsecs"), 2, "parsecs"),
        (("compile", "snips", "--target", "host", "--name", "No!"), 2, "No!"),
    ],
)
def test_wrong_input_is_named(
    tmp_path: Path, arguments: tuple[str, ...], code: int, named: str
) -> None:
    done = command(*arguments, "--out", tmp_path / "out")
    assert done.returncode == code, done.stderr
    assert named in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--trials", "-1", 0), ("--models", "few", 0), ("--jobs", "0", 1), ("--batch", "1.5", 1)],
)
def test_numbers_of_tune_are_checked(option: str, value: str, least: int) -> None:
    done = command("tune", "snips", "--target", "mps2-an386", option, value)
    assert done.returncode == 2
    assert f"argument {option}: {value!r} is no whole number of at least {least}" in done.stderr


@pytest.mark.parametrize("name", ["run", "validate"])
def test_folder_without_a_compiled_model(tmp_path: Path, name: str) -> None:
    more = ("--data", DATA / "snips_test.tsv.gz") if name == "validate" else ("--text", "x")
    done = command(name, tmp_path, *more, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"] == "InputError"


@pytest.mark.host
def test_output_folder_of_someone_else_is_left_alone(small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    done = command("compile", small, "--target", "host", "--out", tmp_path / "mine")
    assert done.returncode == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.host
def test_compiling_again_replaces_the_folder(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for length in (8, 6):
        done = command("compile", small, "--target", "host", "--out", out, "--max-length", length)
        assert done.returncode == 0, done.stderr
    assert CompiledModel(out).max_length == 6
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.host
@pytest.mark.parametrize("name", ["integer.json", "compiled.json", "report.json"])
def test_damaged_compiled_model(compiled_for: Compile, tmp_path: Path, name: str) -> None:
    import shutil

    folder = Path(shutil.copytree(compiled_for("host").folder, tmp_path / "damaged"))
    (folder / name).write_text((folder / name).read_text(encoding="utf-8")[:50], encoding="utf-8")
    done = command("validate", folder, "--data", DATA / "snips_test.tsv.gz", "--limit", 1)
    assert done.returncode == 3
    assert name in done.stderr


@pytest.mark.host
def test_data_errors_name_the_line(compiled_for: Compile, tmp_path: Path) -> None:
    data = tmp_path / "data.tsv"
    data.write_text("play jazz\tPlayMusic\nplay jazz\tPlayMusik\n", encoding="utf-8")
    done = command("validate", compiled_for("host").folder, "--data", data)
    assert done.returncode == 3
    assert "line 2" in done.stderr
    data.write_bytes(b"\xff\xfe\x00broken")
    assert command("validate", compiled_for("host").folder, "--data", data).returncode == 3


@pytest.mark.host
def test_long_and_odd_texts(compiled_for: Compile) -> None:
    texts = ["", "   ", "play " * 2000, "日本語 ünïcode 🎵", "[PAD] [PAD] play [SEP] jazz [PAD]"]
    arguments = [word for text in texts for word in ("--text", text)]
    done = command("run", compiled_for("host").folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "cut off after 256 tokens" in done.stderr
    assert [len(a["tokens"]) for a in json.loads(done.stdout)][2] == 256
