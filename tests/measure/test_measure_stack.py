"""The bound of the stack: never below the use, close to it, and refused where there is none."""

from __future__ import annotations

import subprocess

import pytest

from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.measure import EmulatorSession, ModelSources, build_image, memory_use
from tvm_embbert.measure.callgraph_info import CALLGRAPH_FLAG, read_callgraph_info
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.disassembly import disassemble
from tvm_embbert.measure.toolchain import compile_sources
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARDS = (
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "mps3-an547",
    "virt-rv32",
    "virt-rv32v",
)
BOARD = BOARDS[1]
TIMEOUT_S = 20.0

DIVISIONS = {"arm-none-eabi": "__udivmoddi4", "riscv64-unknown-elf": "__divdi3"}
"""The library function that divides 64 bits, at the end of the deepest chain of calls."""

HEADER = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define TVMGEN_DEEP_MAX_LENGTH 8
#define TVMGEN_DEEP_NUM_OUTPUTS 1
#define TVMGEN_DEEP_SRAM_WORKSPACE_POOL_SIZE 64
#define TVMGEN_DEEP_WORKSPACE_POOL_SIZE 64
#define TVMGEN_DEEP_WORKSPACE_POOL_ALIGNMENT 16
#define TVMGEN_DEEP_WORKSPACE_POOLS(POOL) POOL(sram, 64)
int32_t tvmgen_deep_infer(const int32_t *ids, int32_t length, int16_t *logits, void *sram,
    size_t sram_size);
"""
ENTRY = """\
#include "tvmgen_deep.h"
static __attribute__((noinline)) int32_t deeper(int32_t n) {{ {body} }}
int32_t tvmgen_deep_infer(const int32_t *ids, int32_t length, int16_t *logits, void *sram,
    size_t sram_size) {{
  (void)sram;
  (void)sram_size;
  logits[0] = (int16_t)deeper(ids[0] + length);
  return 0;
}}
"""
FRAME = "volatile int32_t rows[20]; for (int32_t i = 0; i < 20; ++i) rows[i] = n; "

# What library functions a core needs for it differs: software division, multiplication, floats.
LIBRARY_CALLS = {
    "division": FRAME + "return (int32_t)(INT64_C(0x123456789abc) / (rows[3] + (int64_t)n));",
    "remainder": FRAME + "return (int32_t)(UINT64_C(0x123456789abc) % (uint64_t)rows[3]);",
    "doubles": FRAME + "return (int32_t)((double)rows[1] / 3.7 * n + (double)rows[2]);",
    "floats": FRAME + "return (int32_t)((float)rows[1] / 3.7F * (float)n - (float)rows[2]);",
    "copies": "uint8_t a[60], b[60]; memset(a, n, 60u); memmove(b, a, (size_t)n + 3u);"
    " return b[n] + a[5] + memcmp(a, b, (size_t)n);",
}


@pytest.fixture
def deep(tmp_path):
    """Return a function that makes a model whose inference calls a function with that body."""

    def make(body, before=""):
        (tmp_path / "tvmgen_deep.h").write_text(HEADER)
        source = tmp_path / "deep.c"
        source.write_text(ENTRY.format(body=body).replace("static", before + "static", 1))
        return ModelSources("deep", (source,), tmp_path)

    return make


@pytest.mark.parametrize("board", BOARDS)
def test_bound_holds_and_is_close(tiled_for, board):
    image = tiled_for(board)
    check_bound(image, [[1, 2, 3], list(range(64)), []])
    assert image.stack_bound.path[-1][0] == DIVISIONS[image.target.core.toolchain]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("calls", LIBRARY_CALLS)
def test_bound_holds_below_library_functions(deep, tmp_path, board, calls):
    image = build_image(deep(LIBRARY_CALLS[calls]), load_target(board), tmp_path / "out")
    check_bound(image, [[0], [1, 2], [2, 5, 9]])


def check_bound(image, sentences):
    """Run sentences and compare the stack that they used with the bound."""
    bound = image.stack_bound
    with EmulatorSession(image, TIMEOUT_S) as session:
        for ids in sentences:
            session.infer(ids)
        used = session.stack_used()
    assert used <= bound.total <= 1.25 * used
    assert bound.total == sum(size for _, size in bound.path)
    assert 0 < bound.infer < bound.total
    unit = CROSS_TOOLCHAINS[image.target.core.toolchain].stack_alignment
    assert image.stack_size == -(-bound.total // unit) * unit
    assert image.stack_size == memory_use(image.map_file).ram.stack


@pytest.mark.parametrize("board", BOARDS)
def test_a_stack_below_the_use_overflows(tiled, tiled_for, tmp_path, board):
    with EmulatorSession(tiled_for(board), TIMEOUT_S) as session:
        session.infer([1, 2, 3])
        used = session.stack_used()
    less = build_image(tiled, load_target(board), tmp_path, stack_size=(used - 1) // 16 * 16)
    assert less.stack_bound is None
    with (
        EmulatorSession(less, TIMEOUT_S) as session,
        pytest.raises(DeviceError, match=r"STKOF|MSTKERR|DACCVIOL|stack overflow"),
    ):
        session.infer([1, 2, 3])


@pytest.mark.parametrize("board", BOARDS)
def test_crash_on_the_tightest_stack_is_told(deep, tmp_path, board):
    crash = FRAME + "return *(const volatile int32_t *)(uintptr_t)0xF0000000u + rows[n & 7];"
    image = build_image(deep(crash), load_target(board), tmp_path / "out")
    with (
        EmulatorSession(image, TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="0xf0000000"),
    ):
        session.infer([1])


@pytest.mark.parametrize(
    ("body", "before", "reason"),
    [
        ("return n < 2 ? 1 : n * deeper(n - 1) + deeper(n - 2);", "", "'deeper' calls itself"),
        (
            "return n < 2 ? 1 : 3 * other(n - 1);",
            "int32_t deeper_by_other(int32_t n);\n"
            "static __attribute__((noinline)) int32_t other(int32_t n) "
            "{ return 5 * deeper_by_other(n); }\n",
            r"calls itself \(.* -> .* -> .*\)",
        ),
        (
            'int32_t rows[n + 1]; rows[n] = n; __asm__ volatile("" :: "r"(rows) : "memory");'
            " return rows[n];",
            "",
            "'deeper' has a frame of variable size",
        ),
        (
            "return deep_hook(n) + 1;",
            "int32_t (*volatile deep_hook)(int32_t);\n",
            "'deeper' calls through a pointer",
        ),
    ],
)
def test_no_bound(deep, tmp_path, body, before, reason):
    model = deep(body, before)
    if "other" in before:
        text = model.sources[0].read_text() + (
            "int32_t deeper_by_other(int32_t n) { return deeper(n - 1) + 1; }\n"
        )
        model.sources[0].write_text(text)
    with pytest.raises(ToolchainError, match=reason) as caught:
        build_image(model, load_target(BOARD), tmp_path / "out")
    assert "stack_size" in caught.value.hint
    assert build_image(model, load_target(BOARD), tmp_path / "out", stack_size=512).elf.is_file()


def test_calls_by_far_addresses_count(deep, tmp_path):
    far = "__attribute__((long_call, noinline)) static int32_t far_away(int32_t n) "
    frame = FRAME.replace("20", "60")
    model = deep("return far_away(n) + far_away(n + 1);", f"{far} {{ {frame} return rows[1]; }}\n")
    image = build_image(model, load_target(BOARD), tmp_path / "out")
    assert image.stack_bound.path[-1][0] == "far_away"
    check_bound(image, [[1]])


def test_figures_of_the_compiler_change_no_code(tiled, tmp_path):
    core = load_target(BOARD).core
    compiler = CROSS_TOOLCHAINS[core.toolchain].compiler(core.flags)
    objects = {}
    for flag in ((), (CALLGRAPH_FLAG,)):
        build = tmp_path / f"build{len(flag)}"
        build.mkdir()
        names = compile_sources(
            compiler, tiled.sources, build, "model", [f"-I{tiled.include}", *flag]
        )
        objects[flag] = [(build / name).read_bytes() for name in names]
    assert objects[()] == objects[(CALLGRAPH_FLAG,)]
    found = read_callgraph_info(build / "model" / "000_tiled.ci")
    assert "tiled_divide" in found["tvmgen_tiled_infer"].calls
    assert found["tvmgen_tiled_infer"].frame > 0


@pytest.mark.parametrize("board", BOARDS[-2:])
def test_frames_equal_the_instructions_on_riscv(tiled_for, board):
    image = tiled_for(board)
    cross = CROSS_TOOLCHAINS[image.target.core.toolchain]
    read = {r.name: r.frame for r in disassemble(image.elf, cross)}
    path = image.stack_bound.path
    assert len(path) == 6
    assert all(read[name] == size for name, size in path[1:])


def test_frames_equal_the_instructions(tiled_for):
    """Frames from the compiler against the pushes in the image, for a function with one way in."""
    image = tiled_for(BOARD)
    path = dict(image.stack_bound.path)
    command = ["arm-none-eabi-objdump", "-d", "--disassemble=tiled_divide", str(image.elf)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pushed = 4 * len(text.partition("{")[2].partition("}")[0].split(","))
    reserved = int(text.partition("sub\tsp, #")[2].split()[0])
    assert path["tiled_divide"] == pushed + reserved
