"""Projects of the template esp-idf: what can be said of them without ESP-IDF's own tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from world import QUICK, STUBS, check_validation, commands, converse, enabled, kconfig, run, vectors

pytestmark = pytest.mark.host

STUB = STUBS / "esp-idf"
PROGRAMS = ("classify", "benchmark", "selftest", "validation")
RESTARTED = 78

Create = Callable[..., Path]
Build = Callable[..., "Built"]


def symbols(project: Path, program: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Return what Kconfig says with the files of defaults of a program and some symbols."""
    files = (project / "sdkconfig.defaults", project / f"sdkconfig.{program}")
    return enabled(kconfig(STUB / "Kconfig", STUB, files, extra, PROJECT=str(project)))


@dataclass
class Built:
    """A project, and a program of it built with the stand-in for ESP-IDF."""

    project: Path
    program: Path


@pytest.fixture(scope="module")
def done() -> dict[tuple[str, str], Built]:
    return {}


@pytest.fixture
def build(create: Create, tmp_path: Path, done: dict[tuple[str, str], Built]) -> Build:
    """Return what builds a program: each once in this module, as projects are all the same."""

    def built(program: str, console: str = "uart") -> Built:
        key = (program, console)
        if key not in done:
            project = create("esp-idf", console=console)
            folder = tmp_path / f"build{len(done)}"
            done[key] = Built(project, build_application(project, folder, program))
        return done[key]

    return built


def build_application(project: Path, folder: Path, program: str) -> Path:
    found = symbols(project, program, {})
    folder.mkdir()
    lines = [f"set(CONFIG_{name} {value})" for name, value in found.items()]
    (folder / "config.cmake").write_text("\n".join(lines))
    numbers = {name: "1" if value == "y" else value for name, value in found.items()}
    defined = "".join(f"#define CONFIG_{name} {value}\n" for name, value in numbers.items())
    (folder / "sdkconfig.h").write_text(defined)
    source = ["-S", project, "-B", folder / "build", "-G", "Ninja", f"-DSTUB_CONFIG={folder}"]
    run("cmake", *source, *QUICK, IDF_PATH=str(STUB))
    run("cmake", "--build", folder / "build")
    return folder / "build" / "esp"


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_has_a_file_of_defaults(create: Create, name: str) -> None:
    found = symbols(create("esp-idf"), name, {})
    chosen = {s for s in found if s.startswith("APP_PROGRAM_")}
    assert chosen == {f"APP_PROGRAM_{name.upper()}"}
    assert "ESP_TASK_WDT_INIT" not in found


def test_kconfig_of_the_component(create: Create) -> None:
    project = create("esp-idf")
    found = symbols(project, "classify", {})
    assert int(found["TVM_EMBBERT_MODEL_STACK_SIZE"]) >= 2048
    assert not {"TVM_EMBBERT_MODEL_CODE_IN_RAM", "APP_ARENA_IN_PSRAM"} & set(found)
    more = {"SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY": "y", "APP_ARENA_IN_PSRAM": "y"}
    assert set(more) <= set(symbols(project, "classify", more))


def test_arena_in_external_ram_needs_some(create: Create) -> None:
    with pytest.raises(AssertionError, match="APP_ARENA_IN_PSRAM is not visible"):
        symbols(create("esp-idf"), "classify", {"APP_ARENA_IN_PSRAM": "y"})


def test_component_manifest(create: Create) -> None:
    folder = create("esp-idf") / "components/tvm_embbert_model"
    manifest = yaml.safe_load((folder / "idf_component.yml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["dependencies"] == {"idf": ">=5.3"}


def test_linker_fragments_name_what_is_compiled(create: Create) -> None:
    project = create("esp-idf")
    for folder, sources in (
        ("components/tvm_embbert_model", "src"),
        ("main", "programs"),
        ("main", "validation"),
    ):
        text = (project / folder / "linker.lf").read_text()
        assert f"archive: lib{Path(folder).name}.a" in text
        assert set(re.findall(r"if (\w+) = y", text)) <= {
            "TVM_EMBBERT_MODEL_CODE_IN_RAM",
            "APP_ARENA_IN_PSRAM",
        }
        objects = re.findall(r"^ {8}(\w+) \(", text, re.MULTILINE)
        assert any((project / folder / sources / f"{name}.c").is_file() for name in objects)


@pytest.mark.parametrize(
    ("name", "expected"), [("classify", "or help\n> "), ("benchmark", r"4 tokens: \d+ cycles\n")]
)
def test_programs_run(build: Build, name: str, expected: str) -> None:
    assert re.search(expected, converse(build(name).program))


@pytest.mark.parametrize("console", ["uart", "usb_serial_jtag"])
def test_selftest_passes_on_both_consoles(build: Build, console: str) -> None:
    built = build("selftest", console)
    count = len(vectors(built.project))
    assert f"self-test: {count} of {count} passed\n" in converse(built.program)


def test_console_classifies_lines(build: Build) -> None:
    built = build("classify")
    good = next(v for v in vectors(built.project) if v["code"] == 0)
    typed = " ".join(str(one) for one in good["ids"])
    printed = converse(built.program, f"{typed}\nnothing\n")
    assert f"({max(good['logits'])}), " in printed
    assert "not a list of token ids" in printed


def test_validation_answers_the_host(build: Build) -> None:
    built = build("validation")
    text = (built.project / "main/CMakeLists.txt").read_text()
    number = re.search(r"HARNESS_IMAGE_NUMBER=(\w+)u", text)
    assert number
    check_validation(built.program, built.project, number[1], RESTARTED)


def test_commands_keep_programs_and_chips_apart(create: Create) -> None:
    project = create("esp-idf")
    chosen = {"chip": "esp32c6", "program": "selftest"}
    (built,) = commands(project, "build", "idf.py", **chosen)
    assert built == [
        "-B",
        "build/esp32c6-selftest",
        "-DIDF_TARGET=esp32c6",
        "-DSDKCONFIG=build/esp32c6-selftest/sdkconfig",
        "-DSDKCONFIG_DEFAULTS=sdkconfig.defaults;sdkconfig.selftest",
        "build",
    ]
    assert commands(project, "flash", "idf.py", **chosen) == [[*built[:2], "flash"]]
