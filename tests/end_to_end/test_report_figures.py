"""The report's memory figures against binutils' own reading of the image, symbol by symbol."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
from flow import Compile

from tvm_embbert.compiled import CompiledModel
from tvm_embbert.measure import EmulatorSession

pytestmark = pytest.mark.emulator

OURS = ("tvmgen_", "te_")
"""Symbols of the library, and of the intrinsics within it."""
BOARD = "mps2-an386"
BOARDS = (
    BOARD,
    "mps3-an547",
    "mps2-an385",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "virt-rv32",
    "virt-rv32v",
)


@dataclass(frozen=True)
class Symbol:
    address: int
    size: int
    kind: str


@pytest.fixture(scope="module", params=[BOARD, "virt-rv32"])
def compiled(compiled_for: Compile, request: pytest.FixtureRequest) -> CompiledModel:
    return compiled_for(request.param)


@pytest.fixture(scope="module")
def symbols(compiled: CompiledModel) -> dict[str, Symbol]:
    rows = [line.split() for line in tool("nm", "-S", compiled).splitlines()]
    found: dict[str, Symbol] = {}
    for row in rows:
        size = int(row[1], 16) if len(row) == 4 else 0
        # Files of different optimisation levels may have a static function of the same name.
        name = row[-1] if row[-1] not in found else f"{row[-1]}@{row[0]}"
        found[name] = Symbol(int(row[0], 16), size, row[-2].lower())
    return found


@pytest.fixture(scope="module")
def sections(compiled: CompiledModel) -> dict[str, int]:
    rows = [line.split() for line in tool("size", "-A", compiled).splitlines()]
    return {row[0]: int(row[1]) for row in rows if row and row[0].startswith(".")}


def tool(name: str, option: str, compiled: CompiledModel) -> str:
    """Return what a program of the image's own binutils prints of it."""
    target = compiled.target
    elf = compiled.folder / "image" / f"snips-{target.name}.elf"
    command = [f"{target.core.toolchain}-{name}", option, str(elf)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def model_bytes(symbols: dict[str, Symbol], kind: str, unit: int = 1) -> int:
    """Return the bytes of the library's symbols; functions that GCC made one are counted once."""
    ours = {s for name, s in symbols.items() if name.startswith(OURS) and s.kind == kind}
    return sum(-(-symbol.size // unit) * unit for symbol in ours)


def test_ram(compiled: CompiledModel, symbols: dict[str, Symbol], sections: dict[str, int]) -> None:
    ram = compiled.report["memory"]["ram"]

    def span(first: str, end: str) -> int:
        return symbols[end].address - symbols[first].address

    pools = compiled.report["memory"]["pools"]
    assert {p["name"]: p["size"] for p in pools} == {
        name.removeprefix("arena_"): s.size for name, s in symbols.items() if "arena_" in name
    }
    assert ram["arena"] == sum(p["size"] for p in pools) == sections[".arena"]
    assert ram["stack"] == span("harness_stack", "harness_stack_end") == sections[".stack"]
    in_ram = model_bytes(symbols, "d")
    assert ram["weights"] == in_ram
    variables = span("__data_start", "__data_end") + span("harness_fault_stack", "__bss_end")
    assert ram["static"] == variables - in_ram
    assert variables == sections[".data"] + sections[".bss"]


def test_flash(
    compiled: CompiledModel, symbols: dict[str, Symbol], sections: dict[str, int]
) -> None:
    flash = compiled.report["memory"]["flash"]
    # GCC for Arm fills each function up to whole words; at -Os up to half words.
    units = (2, 4) if compiled.target.core.toolchain == "arm-none-eabi" else (1, 1)
    least, most = (model_bytes(symbols, "t", unit) for unit in units)
    assert least <= flash["code"] <= most
    assert most - least <= 2 * len(compiled.report["strategies"])
    assert flash["weights"] == model_bytes(symbols, "r") + model_bytes(symbols, "d")
    loaded = sum(sections[name] for name in (".vectors", ".text", ".rodata", ".data"))
    assert flash["total"] == loaded


@pytest.mark.parametrize("board", BOARDS)
def test_stack_is_bounded_closely(compiled_for: Compile, board: str) -> None:
    compiled = compiled_for(board)
    stack = compiled.report["memory"]["stack"]
    rng = np.random.default_rng(7)
    with compiled.session() as session:
        assert isinstance(session, EmulatorSession)
        for length in (1, 31, 256):
            assert session.infer([2, *rng.integers(5, 8192, length - 1)]).code == 0
        used = session.stack_used()
    assert used <= stack["bound"] <= 1.25 * used
    assert stack["bound"] == sum(size for _, size in stack["path"])
    functions = [function for function, _ in stack["path"]]
    start = functions.index("tvmgen_snips_infer")
    assert stack["infer"] == sum(size for _, size in stack["path"][start:])
    assert 0 <= compiled.report["memory"]["ram"]["stack"] - stack["bound"] < 8


def test_host_has_no_bound_of_the_stack(compiled_for: Compile) -> None:
    memory = compiled_for("host").report["memory"]
    assert memory["stack"] is None
    assert memory["ram"]["stack"] is None
