"""Bursts: long sums whose words come several at a time, by LDM, which also advances the pointer.

A key or output at a time, so that few sums are held and the other registers take words: beside the
multiplications an instruction for a byte and a part of one for the words. See :mod:`.long_sums` for
the sums themselves.

The statements take all registers, which GCC alone gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tvm_embbert.strategy.kernels.scalar.form import BITS, BURST, Block

REGISTERS = (*(f"r{n}" for n in range(13)), "lr")
"""All but the stack pointer and the program counter, as LDM orders them."""
AT_ONCE = {1: 8, 2: 3, 3: 1, 4: 1}
"""Steps of the sum whose words an LDM loads, by words of a step: what the registers hold."""
BESIDE = 4
"""Words of a step that leave no register for a pointer to the bytes: see :func:`summed_beside`."""


def lines(instructions: Iterable[str]) -> str:
    """Return instructions as strings of an ``__asm__`` statement."""
    return "".join(f'\n      "{i}\\n\\t"' for i in instructions)


def clobbered(taken: Iterable[str] = ()) -> str:
    """Return the clobbers of a statement that takes all registers; `taken` are its operands."""
    free = [r for r in REGISTERS if r not in set(taken)]
    return ", ".join(f'"{r}"' for r in (*free, "cc", "memory"))


def listed(registers: Sequence[str]) -> str:
    """Return a register list of LDM or STM."""
    return "{" + ", ".join(registers) + "}"


def cleared(sums: Sequence[str]) -> list[str]:
    """Return the instructions that begin sums: lower and upper halves in turn."""
    return [f"mov {s}, #0" for s in sums]


def multiplied(sums: Sequence[str], words: Sequence[str], byte: str) -> list[str]:
    """Return the instructions that add words times a byte to their sums."""
    return [
        f"smlal {sums[2 * p]}, {sums[2 * p + 1]}, {word}, {byte}" for p, word in enumerate(words)
    ]


def parted(sums: Sequence[str], spare: str) -> list[str]:
    """Return the instructions that leave the rows' own sums in the registers, in order.

    The carry of the shift is the sign of the lower row, which the upper one lacks.
    """
    bits, found = BITS[BURST], []
    for low, high in zip(sums[::2], sums[1::2], strict=True):
        found += [
            f"lsrs {spare}, {low}, #{bits}",
            f"adc {high}, {spare}, {high}, lsl #{32 - bits}",
            f"sbfx {low}, {low}, #0, #{bits}",
        ]
    return found


def turn_steps(block: Block) -> int:
    """Return the steps of a turn of the loop."""
    return block.unroll * AT_ONCE[block.words]


def beside(block: Block) -> bool:
    """Return whether the bytes are copied beside the words."""
    return block.multiply == BURST and block.words == BESIDE


def looped_steps(block: Block, steps: int) -> int:
    """Return the steps that turns of the loop take, before those behind it: none or several."""
    turns = steps // turn_steps(block)
    return turns * turn_steps(block) if turns > 1 or beside(block) else 0


def places(block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the registers of the sums, and those of words."""
    first = 2 if beside(block) else 3
    last = first + 2 * block.words
    return REGISTERS[first:last], REGISTERS[last:]


def summed(block: Block, steps: int) -> list[str]:
    """Return the instructions that sum words at r0 times bytes at r1: both are advanced.

    The operand ``turns`` is where the words of :func:`looped_steps` end. What :func:`places` says,
    and r2, is changed; rows' own sums are left in the sums' registers.
    """
    sums, _ = places(block)
    if beside(block):
        return [*_beside(block, steps), *parted(sums, "r1")]
    turn, looped = turn_steps(block), looped_steps(block, steps)
    body = cleared(sums)
    if looped:
        again = [f"add r1, r1, #{turn}", "ldr r2, %[turns]", "cmp r0, r2", "bne 1b"]
        body += ["1:", *_steps(block, range(turn)), *again]
    return [*body, *_steps(block, range(steps - looped)), *parted(sums, "r2")]


def _steps(block: Block, steps: range) -> list[str]:
    """Return the instructions of some steps, whose bytes lie behind the pointer."""
    sums, words = places(block)
    found = []
    for first in range(0, len(steps), AT_ONCE[block.words]):
        group = steps[first : first + AT_ONCE[block.words]]
        found.append(f"ldm r0!, {listed(words[: len(group) * block.words])}")
        for n, step in enumerate(group):
            found.append(f"ldrsb r2, [r1, #{step}]")
            found += multiplied(sums, words[n * block.words : (n + 1) * block.words], "r2")
    return found


def _beside(block: Block, steps: int) -> list[str]:
    """Return the instructions for words of whole turns, each with its bytes behind it.

    These are put there first. So one pointer reaches both: while it moves by words, the bytes are
    found nearer by a word's size less their own each time.
    """
    (sums, words), unroll = places(block), block.unroll
    size = 16 * unroll
    copied = [f"add r2, r0, #{size}"]
    for turn in range(steps // unroll):
        copied += [f"add r2, r2, #{size}"] if turn else []
        copied += _copied(REGISTERS[3 : 3 + min(unroll // 4, 8)])
    body = [*copied, *cleared(sums), "1:"]
    for step in range(unroll):
        body += [f"ldm r0!, {listed(words)}", f"ldrsb r1, [r0, #{size - 15 * step - 16}]"]
        body += multiplied(sums, words, "r1")
    return [*body, f"add r0, r0, #{unroll}", "ldr r1, %[turns]", "cmp r0, r1", "bne 1b"]


def _copied(held: Sequence[str]) -> list[str]:
    if len(held) == 1:
        return [f"ldr {held[0]}, [r1], #4", f"str {held[0]}, [r2], #4"]
    return [f"ldm r1!, {listed(held)}", f"stm r2!, {listed(held)}"]
