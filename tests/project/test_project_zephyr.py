"""Projects of the template zephyr: what can be said of them without Zephyr's own tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from devicetree.dtlib import DT
from world import QUICK, STUBS, check_validation, commands, converse, enabled, kconfig, run, vectors

from tvm_embbert.project.archive import read_archive
from tvm_embbert.project.render import Renderer
from tvm_embbert.project.template_file import load_template, template_folder
from tvm_embbert.project.values import template_values

pytestmark = pytest.mark.host

STUB = STUBS / "zephyr"
PROGRAMS = ("classify", "benchmark", "selftest", "validation")
RESTARTED = 78

Create = Callable[..., Path]
Build = Callable[..., "Built"]


def symbols(project: Path, extra: Mapping[str, str], conf: bool = True) -> dict[str, str]:
    """Return what Kconfig says of the application with prj.conf and some symbols."""
    app = project / "app"
    files = (app / "prj.conf",) if conf else ()
    return enabled(kconfig(app / "Kconfig", STUB, files, extra, MODULE=str(project)))


@dataclass
class Built:
    """A project, and its application built with the stand-in for Zephyr's package."""

    project: Path
    program: Path


@pytest.fixture(scope="module")
def done() -> dict[tuple[str, ...], Built]:
    return {}


@pytest.fixture
def build(create: Create, tmp_path: Path, done: dict[tuple[str, ...], Built]) -> Build:
    """Return what builds a program: each once in this module, as projects are all the same."""

    def built(program: str, *symbols: str, flags: str = "") -> Built:
        key = (program, *symbols, flags)
        if key not in done:
            project = create("zephyr")
            extra = dict.fromkeys((f"APP_PROGRAM_{program.upper()}", *symbols), "y")
            folder = tmp_path / f"build{len(done)}"
            done[key] = Built(project, build_application(project, folder, extra, flags))
        return done[key]

    return built


def build_application(project: Path, folder: Path, extra: Mapping[str, str], flags: str) -> Path:
    found = symbols(project, extra)
    folder.mkdir()
    lines = [f"set(CONFIG_{name} {value})" for name, value in found.items()]
    (folder / "config.cmake").write_text("\n".join(lines))
    numbers = {name: "1" if value == "y" else value for name, value in found.items()}
    defined = "".join(f"#define CONFIG_{name} {value}\n" for name, value in numbers.items())
    (folder / "autoconf.h").write_text(defined)
    settings = [f"-DSTUB={STUB}", f"-DSTUB_CONFIG={folder}", f"-DZephyr_DIR={STUB / 'package'}"]
    source = ["-S", project / "app", "-B", folder / "build", "-G", "Ninja"]
    run("cmake", *source, *settings, *QUICK, f"-DCMAKE_C_FLAGS={flags}")
    run("cmake", "--build", folder / "build")
    return folder / "build" / "zephyr"


def program(name: str) -> dict[str, str]:
    return {f"APP_PROGRAM_{name.upper()}": "y"}


def model_name(project: Path) -> str:
    name: str = yaml.safe_load((project / "zephyr/module.yml").read_text())["name"]
    return name.removeprefix("tvm_embbert_")


def test_module_says_where_its_parts_are(create: Create) -> None:
    project = create("zephyr")
    module = yaml.safe_load((project / "zephyr/module.yml").read_text())
    assert (project / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (project / module["build"]["kconfig"]).is_file()
    assert all((project / sample / "sample.yaml").is_file() for sample in module["samples"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_option_chooses_the_program_and_kconfig_another(create: Create, name: str) -> None:
    project = create("zephyr", program=name)
    chosen = {s for s in symbols(project, {}) if s.startswith("APP_PROGRAM_")}
    assert chosen == {f"APP_PROGRAM_{name.upper()}"}
    other = PROGRAMS[PROGRAMS.index(name) - 1]
    chosen = {s for s in symbols(project, program(other)) if s.startswith("APP_PROGRAM_")}
    assert chosen == {f"APP_PROGRAM_{other.upper()}"}


def test_kconfig_of_the_module(create: Create) -> None:
    project = create("zephyr")
    symbol = f"TVM_EMBBERT_{model_name(project).upper()}"
    assert not any(s.startswith("TVM_EMBBERT") for s in symbols(project, {}, conf=False))
    found = symbols(project, program("validation"))
    assert found[symbol] == "y"
    assert int(found[f"{symbol}_STACK_SIZE"]) >= 512
    assert {"INIT_STACKS", "REBOOT", "THREAD_STACK_INFO"} <= set(found)
    assert "REBOOT" not in symbols(project, program("classify"))


def with_vectors(project: Path, folder: Path) -> Path:
    """Write the template's own files as for a model whose kernels need vector instructions."""
    template = load_template(template_folder("zephyr"))
    values = template_values(
        read_archive(project / "model.tar"), {"board": None, "program": "classify"}, template
    )
    core = {**values["target"]["core"], "isa": ["armv8.1-m-mve", "portable"]}
    values["target"] = {**values["target"], "core": core}
    for name, data in Renderer(template.folder, values).folder(template.folder / "files").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_vector_instructions_need_the_unit_and_a_core_that_has_them(
    create: Create, tmp_path: Path
) -> None:
    project = with_vectors(create("zephyr"), tmp_path)
    symbol = f"TVM_EMBBERT_{model_name(project).upper()}"
    assert symbol not in symbols(project, {})
    assert {symbol, "FPU", "FPU_SHARING"} <= set(symbols(project, {"STUB_CPU_MVE": "y"}))
    sample = yaml.safe_load((project / "app/sample.yaml").read_text())
    assert sample["common"]["filter"] == "CONFIG_ARMV8_1_M_MVEI"


def test_samples_build_every_program(create: Create) -> None:
    project = create("zephyr")
    tests = yaml.safe_load((project / "app/sample.yaml").read_text())["tests"]
    for name in PROGRAMS:
        (symbol,) = tests[f"tvm_embbert.{model_name(project)}.{name}"]["extra_configs"]
        assert symbol == f"CONFIG_APP_PROGRAM_{name.upper()}=y"


@pytest.mark.parametrize("name", ["classify", "benchmark", "selftest"])
def test_samples_look_for_what_programs_print(build: Build, name: str) -> None:
    built = build(name)
    tests = yaml.safe_load((built.project / "app/sample.yaml").read_text())["tests"]
    printed = converse(built.program)
    for regex in tests[f"tvm_embbert.{model_name(built.project)}.{name}"]["harness_config"][
        "regex"
    ]:
        assert re.search(regex, printed), printed


def test_console_classifies_lines(build: Build) -> None:
    built = build("classify")
    all_of_them = vectors(built.project)
    good = next(v for v in all_of_them if v["code"] == 0)
    typed = " ".join(str(one) for one in good["ids"])
    printed = converse(built.program, f"{typed}\nselftest\nnothing\n")
    assert f"({max(good['logits'])}), " in printed
    assert f"self-test: {len(all_of_them)} of {len(all_of_them)} passed" in printed
    assert "not a list of token ids" in printed


@pytest.mark.parametrize(
    ("clock", "unit"),
    [
        ("TIMING_FUNCTIONS", "cycles"),
        ("TIMER_HAS_64BIT_CYCLE_COUNTER", "cycles of the kernel's clock"),
    ],
)
def test_counters(build: Build, clock: str, unit: str) -> None:
    printed = converse(build("benchmark", clock).program)
    lines = re.findall(r"^(\d+) tokens: (\d+) (.+)$", printed, re.MULTILINE)
    assert lines
    assert all(int(count) > 0 and found == unit for _, count, found in lines)


def test_validation_answers_the_host(build: Build) -> None:
    built = build("validation")
    text = (built.project / "app/CMakeLists.txt").read_text()
    number = re.search(r"HARNESS_IMAGE_NUMBER=(\w+)u", text)
    assert number
    check_validation(built.program, built.project, number[1], RESTARTED)


def test_devicetree_places_the_arena(build: Build) -> None:
    for name in ("selftest", "validation"):
        table = run("objdump", "-t", build(name, flags="-DSTUB_ARENA=SRAM_TWO").program)
        arena = re.findall(r"^\w+ .* (\S+)\t\w+\s+(?:app_pool|arena)_\w+$", table, re.MULTILINE)
        assert arena
        assert set(arena) == {"SRAM_TWO"}
    assert " passed\n" in converse(build("selftest", flags="-DSTUB_ARENA=SRAM_TWO").program)


def test_board_is_the_one_that_was_asked_for(create: Create) -> None:
    project = create("zephyr", board="nrf52840dk/nrf52840")
    assert "set(BOARD nrf52840dk/nrf52840)" in (project / "app/CMakeLists.txt").read_text()
    assert "--board=nrf52840dk/nrf52840" in (project / "README.md").read_text()


def test_commands_of_west(create: Create) -> None:
    project = create("zephyr")
    fresh = ["--pristine=always", "--build-dir=build", "app", "--"]
    built = commands(project, "build", "west")
    assert built == [["build", *fresh, "-DCONFIG_APP_PROGRAM_CLASSIFY=y"]]
    assert commands(project, "flash", "west") == [["flash", "--build-dir=build"]]


def test_board_and_program_of_a_build(create: Create) -> None:
    (line,) = commands(
        create("zephyr"), "build", "west", board="nrf52dk/nrf52832", program="selftest"
    )
    assert "--board=nrf52dk/nrf52832" in line
    assert line[-1] == "-DCONFIG_APP_PROGRAM_SELFTEST=y"


def test_overlays_are_devicetree_source(create: Create, tmp_path: Path) -> None:
    overlays = list((create("zephyr") / "app/boards").glob("*.overlay"))
    assert overlays
    for overlay in overlays:
        # An overlay refers to nodes of its board: here they are.
        found = re.findall(r"&(\w+)", overlay.read_text())
        board = "".join(f"{node}: {node} {{ }};\n" for node in found)
        source = tmp_path / "board.dts"
        source.write_text(f"/dts-v1/;\n/ {{\n{board}}};\n{overlay.read_text()}")
        tree = DT(str(source))
        chosen = tree.get_node("/chosen").props["tvm-embbert,arena"]
        assert chosen.to_path() is tree.label2node[found[0]]
