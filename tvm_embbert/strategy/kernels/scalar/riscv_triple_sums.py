"""Triple sums in assembly for RV32IM: see :mod:`.triple_sums`; all sums stay in registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.riscv import LOOP, REGISTERS, advance, line
from tvm_embbert.strategy.kernels.scalar.triple_sums import told_apart

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk


def riscv_triple_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    sums = [f"s{c}{p}" for c in range(block.outputs) for p in range(block.words)]
    words = [f"a{p}" for p in range(block.words)]
    taken = dict(zip([*sums, *words, "v", "t", "from"], REGISTERS, strict=False))
    fields = {
        "LOOP": LOOP,
        "BEGIN": "".join(line(f"li %[{n}], -1") for n in sums),
        "TURN": "".join(_step(block, walk, k) for k in range(block.unroll))
        + _advance(walk, block.unroll),
        "STEP": _step(block, walk, 0) + _advance(walk, 1),
        "END": "".join(line(f"sw %[{n}], {4 * i}(%[t])") for i, n in enumerate(sums)),
        "CLOBBERED": ", ".join(f'"{r}"' for r in taken.values()),
    }
    some = filled(_SOME, fields)
    for operand, register in taken.items():
        some = some.replace(f"%[{operand}]", register)
    return told_apart(name, block, walk, some)


def _advance(walk: Walk, steps: int) -> str:
    if walk.placed:
        return line(f"add %[x], %[x], {4 * steps * walk.word}")
    return advance(walk, steps)


def _step(block: Block, walk: Walk, k: int) -> str:
    """Return the instructions of step k of a turn."""
    base = 4 * k * walk.word
    lines = [f"lw %[a{p}], {base + 4 * p * walk.pair}(%[x])" for p in range(block.words)]
    first, base = ("w", k * walk.step) if not walk.placed else ("from", 0)
    if walk.placed:
        place = 4 * (k * walk.word + block.words)
        lines += [f"lw %[from], {place}(%[x])", "add %[from], %[from], %[w]"]
    for c in range(block.outputs):
        lines.append(f"lb %[v], {base + c * walk.output}(%[{first}])")
        for p in range(block.words):
            lines += [f"mul %[t], %[a{p}], %[v]", f"add %[s{c}{p}], %[s{c}{p}], %[t]"]
    return "".join(map(line, lines))


_SOME = """\
static inline void @NAME@_some(const int32_t *x, const int8_t *w, int32_t steps, uint32_t *found) {
  const int32_t *const turns = x + @WORD@ * (steps & ~(@UNROLL@ - 1));
  const int32_t *const end = x + @WORD@ * steps;
@LOOP@}
"""
