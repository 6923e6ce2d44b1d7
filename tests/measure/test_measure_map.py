"""Memory use from map files: exact, and the same as the ELF file says."""

from __future__ import annotations

import subprocess

import pytest

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure import memory_use
from tvm_embbert.measure.map_file import FLASH_SECTIONS, RAM_SECTIONS, read_map

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

MAP = """\
Discarded input sections

 .text          0x00000000      0x999 model/000_gone.o

Linker script and memory map

.vectors        0x00000000       0x40
 *(.vectors)
 .vectors       0x00000000       0x40 harness/000_startup.o

.text           0x00000400       0x20
 *(.text .text.*)
 .text.tvmgen_x_infer
                0x00000400       0x12 model/000_x.o
                0x00000400                tvmgen_x_infer
 *fill*         0x00000412        0x2
 .text.memset   0x00000414        0xc /lib/libc_nano.a(memset.o)

.rodata         0x00000420       0x18
 .rodata.w      0x00000420       0x11 model/001_w.o
 .rodata.str1.1
                0x00000431        0x4 harness/000_startup.o
                                  0x6 (size before relaxing)
                0x00000438                . = ALIGN (0x4)
 *fill*         0x00000435        0x3

.stack          0x20000000      0x400
                0x20000000                harness_stack = .

.arena          0x20000400      0x100
 .bss.harness_arena_dtcm
                0x20000400       0x31 harness/003_harness_arena.o
 *fill*         0x20000431        0xf
 .bss.harness_arena_sram
                0x20000440       0xc0 harness/003_harness_arena.o

.data           0x20000500       0x1c load address 0x00000438
 .data.v        0x20000500        0x4 model/001_w.o
 .data.tvmgen_weights
                0x20000504        0x8 model/001_w.o
 .data.tvmgen_weights.table
                0x2000050c        0x5 model/000_x.o
 *fill*         0x20000511        0x3
 .data.tvmgen_weights_count
                0x20000514        0x4 model/000_x.o
 .data.tvmgen_weights
                0x20000518        0x4 harness/002_harness.o

.bss            0x2000051c        0x8
 .bss.ids       0x2000051c        0x8 harness/002_harness.o

.ARM.attributes
                0x00000000       0x2b
 .ARM.attributes
                0x00000000       0x2e model/000_x.o
"""


def test_sample(tmp_path):
    path = tmp_path / "x.map"
    path.write_text(MAP)
    use = memory_use(path)
    assert (use.flash.weights, use.flash.code) == (0x11 + 8 + 5, 0x12)
    assert use.flash.total == 0x40 + 0x20 + 0x18 + 0x1C
    assert (use.ram.arena, use.ram.stack) == (0x100, 0x400)
    assert (use.ram.static, use.ram.weights) == (0x1C + 8 - 8 - 5, 8 + 5)
    assert use.ram.total == 0x100 + 0x400 + 0x1C + 8
    assert use.ram.pools == {"dtcm": 0x31, "sram": 0xC0}
    found = read_map(path)
    assert found.function_at(0x401) == "tvmgen_x_infer"
    assert found.function_at(0x412) is None


def test_unknown_section(tmp_path):
    path = tmp_path / "x.map"
    path.write_text(MAP + "\n.itcm           0x1000   0x4\n .itcm  0x1000   0x4 model/000_x.o\n")
    with pytest.raises(ToolchainError, match=r"\.itcm"):
        memory_use(path)


@pytest.mark.parametrize("text", [None, "", "nonsense\n"])
def test_no_map(tmp_path, text):
    path = tmp_path / "x.map"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ToolchainError, match="could not be read"):
        memory_use(path)


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("profile", [False, True])
def test_same_as_the_elf_file(image_for, board, profile):
    image = image_for(board, profile=profile)
    sizes = elf_sizes(image)
    use = memory_use(image.map_file)
    assert use.flash.total == sum(sizes[name] for name in FLASH_SECTIONS)
    assert use.ram.total == sum(sizes[name] for name in RAM_SECTIONS)
    assert use.flash.weights == 7 * 2 + 4 * 4
    assert (use.ram.arena, use.ram.stack) == (131072, image.stack_size)


def elf_sizes(image):
    """Sizes by section of an ELF file, which must hold no section of the device besides ours."""
    command = [f"{image.target.core.toolchain}-size", "-A", str(image.elf)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines() if line.startswith(".")]
    unloaded = (".ARM.attributes", ".riscv.attributes", ".debug", ".comment")
    sizes = {row[0]: int(row[1]) for row in rows if not row[0].startswith(unloaded)}
    assert set(sizes) == {*FLASH_SECTIONS, *RAM_SECTIONS}
    return sizes
