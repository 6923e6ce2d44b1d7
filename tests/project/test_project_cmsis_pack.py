"""The template `cmsis-pack`: description, example, the pack itself, and its programs over stubs."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness_client import check_serves
from host_build import STUBS, HostBuild, output_of

from tvm_embbert.errors import InputError
from tvm_embbert.project.archive import read_archive

pytestmark = pytest.mark.host

Create = Callable[..., Path]

STUB = STUBS / "cmsis"
PROGRAMS = ("benchmark", "classify", "selftest", "validation")


@pytest.fixture
def project(create: Create) -> Path:
    return create("cmsis-pack", "host", mcu="STMicroelectronics::STM32F407VGTx")


def _package(project: Path) -> ElementTree.Element:
    (path,) = project.glob("*.pdsc")
    package = ElementTree.parse(path).getroot()
    assert path.name == f"{package.findtext('vendor')}.{package.findtext('name')}.pdsc"
    return package


def _component(package: ElementTree.Element, sub: str, variant: str | None = None) -> Any:
    (found,) = (
        c for c in package.iter("component") if (c.get("Csub"), c.get("Cvariant")) == (sub, variant)
    )
    return found


def _sources(project: Path, component: ElementTree.Element) -> list[Path]:
    files = component.findall("files/file[@category='sourceC']")
    return [project / file.attrib["name"] for file in files]


def test_files_and_conditions_that_are_named_exist(project: Path) -> None:
    package = _package(project)
    names = [file.attrib["name"] for file in package.iter("file")]
    assert names
    for name in names:
        assert (project / name).is_file(), name
    conditions = {condition.attrib["id"] for condition in package.iter("condition")}
    asked = {e.attrib["condition"] for e in package.iter() if "condition" in e.attrib}
    assert asked == conditions


def test_components_hold_all_that_was_generated(project: Path) -> None:
    named = {file.attrib["name"] for file in _package(project).iter("file")}
    for folder in ("include", "source", "app", "port"):
        for path in (project / folder).iterdir():
            assert path.relative_to(project).as_posix() in named
    for path in (project / "harness").glob("*.c"):
        assert path.relative_to(project).as_posix() in named


@pytest.mark.emulator
def test_conditions_are_the_instructions_of_the_core(create: Create) -> None:
    package = _package(create("cmsis-pack", "mps2-an386"))  # a Cortex-M4
    cores = {c.attrib["Dcore"] for c in package.iter("accept") if "Dcore" in c.attrib}
    assert {"Cortex-M4", "Cortex-M7", "Cortex-M55"} <= cores
    assert not {"Cortex-M0+", "Cortex-M3"} & cores


@pytest.mark.emulator
def test_other_architectures_than_arm_are_refused(create: Create) -> None:
    with pytest.raises(InputError, match="a core of Arm"):
        create("cmsis-pack", "virt-rv32")


def test_identifiers_of_components_are_short_enough(project: Path) -> None:
    for component in _package(project).iter("component"):
        for key in ("Cgroup", "Csub"):
            assert 2 <= len(component.attrib[key]) <= 32


def test_example_takes_components_of_the_pack(project: Path) -> None:
    package, example = _package(project), project / "example"
    own = set()
    for c in package.iter("component"):
        variant = f"&{c.attrib['Cvariant']}" if "Cvariant" in c.attrib else ""
        place = f"{c.attrib['Cclass']}:{c.attrib['Cgroup']}:{c.attrib['Csub']}{variant}"
        own.add(f"{package.findtext('vendor')}::{place}")
    asked = set()
    for path in example.rglob("*.yml"):
        (top,) = yaml.safe_load(path.read_text()).values()
        asked |= {c["component"] for c in top.get("components", ())}
    assert {name for name in asked if name.startswith("tvm-embbert::")} == own


def test_solution_names_projects_device_and_the_pack(project: Path) -> None:
    (path,) = (project / "example").glob("*.csolution.yml")
    solution = yaml.safe_load(path.read_text())["solution"]
    projects = [Path(entry["project"]) for entry in solution["projects"]]
    assert sorted(p.parent.name for p in projects) == list(PROGRAMS)
    for name in projects:
        (top,) = yaml.safe_load((path.parent / name).read_text()).values()
        for layer in top["layers"]:
            assert (path.parent / name).parent.joinpath(layer["layer"]).is_file()
    devices = {t["type"]: t["device"] for t in solution["target-types"]}
    assert devices == {"CS300": "ARM::SSE-300-MPS3", "Device": "STMicroelectronics::STM32F407VGTx"}
    own = _package(project)
    pack = f"{own.findtext('vendor')}::{own.findtext('name')}"
    assert {"pack": pack, "path": ".."} in solution["packs"]


def test_pack_is_a_zip_of_what_is_named_and_always_the_same(project: Path) -> None:
    contents = []
    for _ in range(2):
        # What building the example leaves behind is not packed.
        (project / "example/out").mkdir(exist_ok=True)
        (project / "example/out/classify.elf").write_bytes(b"built")
        subprocess.run([sys.executable, project / "make_pack.py"], check=True, capture_output=True)
        (pack,) = project.glob("*.pack")
        contents.append(pack.read_bytes())
    assert contents[0] == contents[1]
    package = _package(project)
    version = package.find("releases/release")
    assert version is not None
    assert pack.name == f"tvm-embbert.{package.findtext('name')}.{version.attrib['version']}.pack"
    names = set(zipfile.ZipFile(pack).namelist())
    assert {file.attrib["name"] for file in package.iter("file")} <= names
    assert {f"tvm-embbert.{package.findtext('name')}.pdsc", "LICENSE.txt", "README.md"} <= names
    assert {f"example/{name}/main.c" for name in PROGRAMS} <= names
    assert not any("classify.elf" in name or name.endswith(".tar") for name in names)


def test_programs_compile_and_run(project: Path, tmp_path: Path) -> None:
    archive, package = read_archive(project / "model.tar"), _package(project)
    folders = ("include", "source", "app", "port", "harness")
    build = HostBuild(tmp_path, [STUB, *(project / folder for folder in folders)])
    parts = (("Validation", None), ("Programs", None), ("Port", "USART"), ("Model", None))
    # Components depend on each other both ways; the linker takes what main needs.
    sources = [s for part in parts for s in _sources(project, _component(package, *part))]
    library = build.library([*sources, STUB / "stub.c"])
    programs = {}
    for name in PROGRAMS:
        main = build.objects([project / "example" / name / "main.c"])
        programs[name] = build.program(name, [*main, library])
    count = len(archive.vectors)
    passed = f"self-test: {count} of {count} passed\n"
    assert passed in output_of(programs["selftest"])
    assert passed in output_of(programs["classify"], "selftest\n")
    assert " tokens: " in output_of(programs["benchmark"])
    check_serves(programs["validation"], archive)


@pytest.mark.emulator
@pytest.mark.parametrize("cpu", ["cortex-m3", "cortex-m4", "cortex-m55"])
def test_ports_compile_for_their_cores(project: Path, tmp_path: Path, cpu: str) -> None:
    package = _package(project)
    flags = [f"-mcpu={cpu}", "-mthumb"]
    folders = (project / "app", project / "port", project / "include")
    build = HostBuild(tmp_path, [STUB, *folders], flags, prefix="arm-none-eabi-")
    for variant in ("USART", "Semihosting"):
        assert len(build.objects(_sources(project, _component(package, "Port", variant)))) == 2


@pytest.mark.emulator
def test_programs_run_on_a_core_over_semihosting(create: Create, tmp_path: Path) -> None:
    project = create("cmsis-pack", "mps2-an386")
    archive, package = read_archive(project / "model.tar"), _package(project)
    flags = [*archive.target.core.flags, "-O2", "-ffunction-sections", "-fdata-sections"]
    includes = [project / folder for folder in ("include", "source", "app", "port")]
    build = HostBuild(tmp_path, [STUB, *includes], flags, prefix="arm-none-eabi-")
    parts = (("Programs", None), ("Port", "Semihosting"), ("Model", None))
    library = build.library([s for p in parts for s in _sources(project, _component(package, *p))])
    count = len(archive.vectors)
    # QEMU 7.2 hands a byte over once the next one comes.
    for name, typed in (("selftest", ""), ("classify", "selftest\n\n")):
        main = build.objects([project / "example" / name / "main.c", STUB / "startup.c"])
        # The stack that the example's README asks for, which the programs thus have to do with.
        elf = build.program(name, [*main, library], *_linking(archive.target.core.flags, project))
        assert f"self-test: {count} of {count} passed\n" in _emulated(elf, typed)


def _linking(flags: Sequence[str], project: Path) -> list[str]:
    regions = (project / "example/regions_device.h").read_text()
    found = re.search(r"__STACK_SIZE (\d+)", regions)
    assert found
    size = f"-Wl,--defsym=STACK_SIZE={found[1]}"
    script = ["-nostartfiles", "-Wl,--gc-sections", "-T", str(STUB / "mps2.ld")]
    return [*flags, "--specs=nano.specs", size, *script]


def _emulated(elf: Path, typed: str) -> str:
    """Return what an image prints up to the self-test's end, which QEMU may outlive."""
    console = "enable=on,target=native,chardev=console"
    command = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-chardev", "stdio,id=console", "-semihosting-config", console]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "-kernel", elf], stdin=pipe, stdout=pipe, text=True) as qemu:
        assert qemu.stdin is not None
        assert qemu.stdout is not None
        qemu.stdin.write(typed)
        qemu.stdin.flush()
        told = ""
        deadline = threading.Timer(30.0, qemu.kill)
        deadline.start()
        for line in qemu.stdout:
            told += line
            if line.startswith("self-test: "):
                break
        deadline.cancel()
        qemu.kill()
    return told
