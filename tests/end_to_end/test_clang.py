"""Libraries compiled by Clang: no warnings, symbols of their own alone, and the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow import Compile
from test_images import BOARDS, random_ids

from tvm_embbert.compiled import CompiledModel, library_sources
from tvm_embbert.measure import EmulatorSession, build_image
from tvm_embbert.measure import image as image_module
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.toolchain import Compiler
from tvm_embbert.project.board import clang_flag

pytestmark = pytest.mark.emulator

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
TRIPLES = {"arm-none-eabi": "arm-none-eabi", "riscv64-unknown-elf": "riscv32-unknown-elf"}
FOREIGN = r"(m|c|re)alloc|free|v?s?n?f?printf|puts?|putchar|fopen|fwrite|exit|abort"
STACK = 16 * 1024


def gcc(compiled: CompiledModel) -> Compiler:
    core = compiled.target.core
    return CROSS_TOOLCHAINS[core.toolchain].compiler(core.flags)


def clang(compiled: CompiledModel) -> Compiler:
    """Return Clang with the core's flags as it spells them, and the headers of GCC's C library."""
    program = next(filter(shutil.which, ("clang-16", "clang")), "clang-16")
    core, given = compiled.target.core, gcc(compiled)
    flags = [clang_flag(flag) for flag in core.flags]
    command = [given.program, *given.flags, "-M", "-x", "c", "-"]
    asked = "#include <string.h>\n"
    rule = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout
    (header,) = re.findall(r"\S+/string\.h", rule)[:1]
    own = ["-isystem", str(Path(header).parent), "-fomit-frame-pointer"]
    return Compiler(program, (f"--target={TRIPLES[core.toolchain]}", *flags, *own))


COMPILERS = {"gcc": gcc, "clang": clang}


ONE_EACH = ("mps2-an385", "mps2-an386", "mps3-an547", "virt-rv32", "virt-rv32v")
"""A board for each instruction set."""
# GCC has compiled all of them at -O2 already, to build them.
COMPILED = [
    *((board, "clang", "-O2") for board in BOARDS),
    *((board, name, "-Os") for board in ONE_EACH for name in COMPILERS),
]


@pytest.mark.parametrize(("board", "name", "level"), COMPILED)
def test_tuned_library_compiles_without_a_warning(
    compiled_for: Compile, board: str, name: str, level: str, tmp_path: Path
) -> None:
    compiled = compiled_for(board)
    sources = library_sources(compiled.folder, compiled._names)
    compiler, objects = COMPILERS[name](compiled), []
    for source in sources.sources:
        objects.append(str(tmp_path / f"{source.stem}.o"))
        flags = [*compiler.flags, *STRICT, level, f"-I{sources.include}", "-c", str(source)]
        command = [compiler.program, *flags, "-o", objects[-1]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[:3000]
    _check_symbols(compiled, objects)


def _check_symbols(compiled: CompiledModel, objects: list[str]) -> None:
    """Intrinsics are static; nothing of the heap or of stdio is needed."""
    nm = f"{compiled.target.core.toolchain}-nm"
    done = subprocess.run([nm, "-P", *objects], capture_output=True, text=True, check=True)
    found = [line.split()[:2] for line in done.stdout.splitlines() if not line.endswith(":")]
    exported = {symbol for symbol, kind in found if kind.isupper() and kind != "U"}
    assert "tvmgen_snips_infer" in exported
    assert all(symbol.startswith("tvmgen_snips") for symbol in exported)
    needed = {symbol for symbol, kind in found if kind == "U"} - exported
    assert not [symbol for symbol in needed if re.fullmatch(FOREIGN, symbol)]


@pytest.mark.parametrize("board", ONE_EACH)
def test_image_of_a_library_that_clang_compiled_equals_the_reference(
    compiled_for: Compile, board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GCC compiles the harness and links; its call graph, which Clang has not, is not asked for."""
    compiled = compiled_for(board)
    compiler, used = clang(compiled), []
    original = image_module._Build._model

    def model(build, models, shared):  # type: ignore[no-untyped-def]
        used.append(compiler.program)
        kept = [flag for flag in shared if flag != image_module.CALLGRAPH_FLAG]
        return original(replace(build, compiler=compiler), models, kept)

    monkeypatch.setattr(image_module._Build, "_model", model)
    sources = library_sources(compiled.folder, compiled._names)
    image = build_image(sources, compiled.target, tmp_path, stack_size=STACK)
    assert used == [compiler.program]
    with EmulatorSession(image) as session:
        for length in (1, 2, 7, 33):
            ids = random_ids(length)
            answer = session.infer(ids)
            assert answer.code == 0
            expected = compiled.reference.run(ids)
            np.testing.assert_array_equal(answer.logits, expected, str(length))
