"""Stack and jumps of single Thumb instructions, and of functions in objdump's text."""

from __future__ import annotations

import pytest

from tvm_embbert.measure.disassembly import parse_disassembly
from tvm_embbert.measure.thumb import ThumbInstruction

TEXT = """
Disassembly of section .text:

10000400 <first>:
10000400:	push	{r4, lr}
10000402:	sub	sp, #16
10000404:	bl	10000420 <third>
10000408:	bne.n	10000404 <first+0x4>
1000040a:	add	sp, #16
1000040c:	b.w	10000500 <first.cold>

10000410 <second>:
10000410:	str.w	lr, [sp, #-8]!
10000414:	cbz	r0, 10000424 <third+0x4>
10000416:	bx	r3

10000420 <third>:
10000420:	nop
10000424:	add	r0, r1

10000428 <fourth>:
10000428:	bl	10000428 <fourth>
1000042a:	bl	1000042c <fourth+0x4>
1000042c:	sub	sp, sp, r3
1000042e:	ldr.w	pc, [sp], #8
10000430:	.word	0x20000000

10000500 <first.cold>:
10000500:	push	{r0}
10000502:	beq.n	10000404 <first+0x4>
10000504:	pop	{r4, pc}
"""


@pytest.mark.parametrize(
    ("text", "pushed"),
    [
        ("push {r4, r5, r6, lr}", 16),
        ("stmdb sp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}", 36),
        ("stmdb r0!, {r4, r5}", 0),
        ("vpush {d8}", 8),
        ("vpush {d8-d15}", 64),
        ("vpush {s16-s19}", 16),
        ("vstmdb sp!, {d8-d9}", 16),
        ("sub sp, #16", 16),
        ("sub.w sp, sp, #1024 @ 0x400", 1024),
        ("subw sp, sp, #1020", 1020),
        ("sub.w r0, r1, #16", 0),
        ("str.w lr, [sp, #-8]!", 8),
        ("strd ip, lr, [sp, #-16]!", 16),
        ("str r0, [sp, #4]", 0),
        ("add sp, #16", 0),
        ("pop {r4, pc}", 0),
    ],
)
def test_pushed_bytes(text, pushed):
    assert instruction(text).pushed == pushed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sub sp, sp, r3", True),
        ("mov sp, r7", True),
        ("add.w sp, sp, r2", True),
        ("bic.w sp, sp, #7", True),
        ("msr PSP, r0", True),
        ("msr PRIMASK, r0", False),
        ("sub sp, #8", False),
        ("add.w sp, sp, #264", False),
        ("ldr r0, [sp, r1]", False),
    ],
)
def test_free_moves_of_the_stack(text, expected):
    assert instruction(text).moves_stack_freely is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blx r3", True),
        ("bx r3", True),
        ("bxne r2", True),
        ("mov pc, r3", True),
        ("ldr.w pc, [pc, #4]", True),
        ("bx lr", False),
        ("mov pc, lr", False),
        ("ldr.w pc, [sp], #8", False),
        ("bl 400 <f>", False),
        ("tbb [pc, r0]", False),
    ],
)
def test_indirect_jumps(text, expected):
    assert instruction(text).is_indirect is expected


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("bl 10000404 <f+0x4>", 0x10000404),
        ("b.n 1e2c <memcpy+0xe8>", 0x1E2C),
        ("bleq 20 <f>", 0x20),
        ("cbnz r0, 414 <f+0x14>", 0x414),
        ("ldr r3, [pc, #16] @ (100005a4 <f+0x3c>)", None),
        ("bic.w r1, r1, #7", None),
        ("bfi r0, r1, #0, #4", None),
    ],
)
def test_targets(text, target):
    assert instruction(text).target == target


def test_routines():
    first, second, third, fourth = parse_disassembly(TEXT, ThumbInstruction.parse)
    assert (first.name, first.frame, first.calls) == ("first", 8 + 16 + 4, {third.address})
    assert (second.frame, second.calls, second.next) == (8, {third.address}, None)
    assert str(second.indirect) == "bx r3"
    assert (third.frame, third.calls, third.next) == (0, set(), fourth.address)
    assert (fourth.calls, str(fourth.dynamic)) == ({fourth.address}, "sub sp, sp, r3")


def instruction(text):
    name, _, operands = text.partition(" ")
    return ThumbInstruction.parse(name, operands)
