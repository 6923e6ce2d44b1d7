"""Stack and jumps of single RISC-V instructions, and of functions in objdump's text."""

from __future__ import annotations

import pytest

from tvm_embbert.measure.disassembly import parse_disassembly
from tvm_embbert.measure.riscv import RiscvInstruction

TEXT = """
Disassembly of section .text:

80000400 <first>:
80000400:	add	sp,sp,-32
80000402:	sw	ra,28(sp)
80000404:	jal	80000420 <third>
80000408:	bnez	a0,80000404 <first+0x4>
8000040a:	auipc	ra,0x1
8000040e:	jalr	-10(ra) # 80000500 <far>
80000412:	add	sp,sp,32
80000414:	ret

80000416 <second>:
80000416:	add	sp,sp,-16
80000418:	lw	a5,0(a0)
8000041a:	add	sp,sp,16
8000041c:	jr	a5

80000420 <third>:
80000420:	auipc	a4,0x0
80000424:	add	a4,a4,64 # 80000460 <table>
80000428:	sll	a5,a5,0x2
8000042a:	add	a5,a5,a4
8000042c:	lw	a5,0(a5)
8000042e:	add	a5,a5,a4
80000430:	jr	a5
80000432:	nop

80000434 <fourth>:
80000434:	add	a3,a3,t0
80000436:	mv	t0,ra
80000438:	jalr	-96(a3)
8000043c:	sub	sp,sp,a0
8000043e:	j	80000416 <second>

80000500 <far>:
80000500:	jr	a3
"""


def instruction(text, *before):
    name, _, operands = text.partition(" ")
    return RiscvInstruction.parse(name, operands, before)


@pytest.mark.parametrize(
    ("text", "pushed"),
    [
        ("add sp,sp,-16", 16),
        ("addi sp,sp,-2032", 2032),
        ("c.addi16sp sp,-64", 64),
        ("c.addi sp,-16", 16),
        ("add sp,sp,32", 0),
        ("add a0,sp,-16", 0),
        ("sw ra,-4(sp)", 0),
    ],
)
def test_pushed_bytes(text, pushed):
    assert instruction(text).pushed == pushed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sub sp,sp,a0", True),
        ("add sp,sp,t0", True),
        ("mv sp,s0", True),
        ("add sp,s0,-64", True),
        ("and sp,sp,-16", True),
        ("lui sp,0x80400", True),
        ("add sp,sp,-16", False),
        ("c.addi16sp sp,64", False),
        ("sw sp,4(a0)", False),
        ("bltu sp,a0,80000400 <f>", False),
        ("add s0,sp,32", False),
    ],
)
def test_free_moves_of_the_stack(text, expected):
    assert instruction(text).moves_stack_freely is expected


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("jr a5", (), True),
        ("jalr a5", (), True),
        ("jalr 12(a5)", (), True),
        ("jalr ra,12(a5)", (), True),
        ("jr a5", ("add a5,a5,a4",), False),
        ("jr a5", ("add a5,a5,a4", "mv t0,ra"), False),
        ("jr a5", ("add a5,a5,a4", "lw a5,0(a5)"), True),
        ("jr a5", ("add a5,a5,4",), True),
        ("jr a5", ("add a3,a5,a4",), True),
        ("jr 8(t1) # 80000400 <f>", ("auipc t1,0x1",), False),
        ("jr 8(t1) # 80000400 <f>", ("lw t1,0(a0)",), True),
        ("ret", (), False),
        ("jal 80000400 <f>", (), False),
    ],
)
def test_indirect_jumps(text, before, expected):
    assert instruction(text, *before).is_indirect is expected


@pytest.mark.parametrize(
    ("text", "before", "target", "is_call"),
    [
        ("jal 80000404 <f+0x4>", (), 0x80000404, True),
        ("jal ra,80000404 <f+0x4>", (), 0x80000404, True),
        ("jal t0,80000404 <__riscv_save_0>", (), 0x80000404, True),
        ("j 8000040a <f>", (), 0x8000040A, False),
        ("jal zero,8000040a <f>", (), 0x8000040A, False),
        ("beqz a5,80000a10 <f+0x10>", (), 0x80000A10, False),
        ("bgtu a0,a1,80000a10 <f+0x10>", (), 0x80000A10, False),
        ("jalr -10(ra) # 80000500 <f>", ("auipc ra,0x1",), 0x80000500, True),
        ("jr -10(t1) # 80000500 <f>", ("auipc t1,0x1",), 0x80000500, False),
        ("add a0,a0,64 # 80000460 <table>", ("auipc a0,0x0",), None, False),
        ("lw a0,4(a0) # 80000460 <table>", ("auipc a0,0x0",), None, False),
        ("ret", (), None, False),
    ],
)
def test_targets(text, before, target, is_call):
    found = instruction(text, *before)
    assert (found.target, found.is_call) == (target, is_call)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ret", True),
        ("j 80000400 <f>", True),
        ("jr a5", True),
        ("jal zero,80000400 <f>", True),
        ("jal 80000400 <f>", False),
        ("jalr a5", False),
        ("beqz a0,80000400 <f>", False),
    ],
)
def test_ends(text, expected):
    assert instruction(text).ends is expected


def test_routines():
    routines = parse_disassembly(TEXT, RiscvInstruction.parse)
    first, second, third, fourth, far = routines
    assert (first.frame, first.calls) == (32, {third.address, far.address})
    assert (first.next, first.indirect, first.dynamic) == (None, None, None)
    assert (second.frame, str(second.indirect)) == (16, "jr a5")
    assert (third.calls, third.indirect, third.next) == (set(), None, None)
    assert (fourth.calls, fourth.indirect) == ({second.address}, None)
    assert str(fourth.dynamic) == "sub sp,sp,a0"
    # What the function in front did to the register does not count.
    assert str(far.indirect) == "jr a3"
