"""Archives of the small model, and readers that take the steps of TVM 0.18's, written anew."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from small_module import LABELS, NAME, TILE_ROWS, VOCABULARY, small_module

from tvm_embbert.codegen.archive import Contents, write_archive
from tvm_embbert.codegen.vectors import self_test_vectors
from tvm_embbert.lowering import Lowered, MemoryOptions, lower
from tvm_embbert.target import Memory, Target
from tvm_embbert.target_file import load_target

TARGETS = ("host", "mps2-an385", "stm32f407", "rp2350", "mps3-an547", "esp32-c3", "virt-rv32v")
TWO_POOLS = "two-pools"


def target(name: str) -> Target:
    """Return a device; one of the names is this machine as if it had two small memories."""
    if name != TWO_POOLS:
        return load_target(name)
    memories = (
        Memory("flash", 1 << 20, "rx"),
        Memory("tcm", 96, "rw"),
        Memory("sram", 1 << 16, "rw", latency=3),
    )
    host = load_target("host")
    ram = 96 + (1 << 16)
    return replace(
        host, name=name, memories=memories, arena=("tcm", "sram"), ram_budget=ram,
        flash_budget=1 << 20, system_memory="sram", weights_memory="flash",
    )  # fmt: skip


def lowered(name: str, model: str = NAME, **options: Any) -> Lowered:
    """Return the small model for a device."""
    module, memory = small_module(**options), MemoryOptions(tile_rows=TILE_ROWS)
    return lower(module, target(name), model, LABELS, VOCABULARY, options=memory)


def archive(made: Lowered, path: Path) -> Path:
    """Write a model's archive without linking it; its report is a stand-in."""
    vectors = self_test_vectors(made.program.source, VOCABULARY, made.plan.length, 2)
    library, program, plan = made.library, made.program, made.plan
    report = {"stand-in": True}
    contents = Contents(library, program, plan, made.target, LABELS, report, vectors)
    write_archive(path, contents)
    return path


def read_package(path: Path, folder: Path) -> tuple[str, str, Path]:
    """Read as TVMC imports a package: name, executor and the file of parameters."""
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    with (folder / "metadata.json").open(encoding="utf-8") as file:
        modules = json.load(file)["modules"]
    (name,) = modules
    (executor,) = modules[name]["executors"]
    return name, executor, folder / "parameters" / f"{name}.params"


def read_workspace(path: Path) -> int:
    """Read the workspace's bytes as microTVM's tests do: straight from the archive, all modules."""
    with tarfile.open(path, "r:*") as tar:
        assert "./metadata.json" in [member.name for member in tar.getmembers()]
        file = tar.extractfile("./metadata.json")
        assert file is not None
        modules = json.load(file)["modules"]
    mains = [module["memory"]["functions"]["main"] for module in modules.values()]
    return sum(main[0]["workspace_size_bytes"] for main in mains)


def unpack_project(path: Path, project: Path) -> tuple[list[Path], Path]:
    """Unpack as microTVM's project for Zephyr: sources that its build globs, and its include path.

    It looks through the sources for headers of CMSIS-NN first, which would need an option more.
    """
    project.mkdir()
    shutil.copy2(path, project / "model.tar")
    with tarfile.TarFile(project / "model.tar") as tar:
        tar.extractall(project / "model", filter="data")
    host = project / "model" / "codegen" / "host"
    for source in (host / "src").iterdir():
        assert "arm_nn" not in source.read_text()
    return sorted((host / "src").glob("*.c")), host / "include"
