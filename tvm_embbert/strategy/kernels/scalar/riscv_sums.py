"""Split sums in assembly for RV32IM: see :mod:`.split_sums`; all sums stay in registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.riscv import LOOP, REGISTERS, advance, line
from tvm_embbert.strategy.kernels.scalar.split_sums import BIAS, PART

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk


def riscv_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    places = [(c, p) for c in range(block.outputs) for p in range(block.words)]
    sums = [f"{n}{c}{p}" for c, p in places for n in "sh"]
    held = [f"{n}{i}" for i in range(min(block.outputs, block.words)) for n in "ab"]
    names = [*sums, *held, "v", "u", "t", "q", "bias"]
    taken = dict(zip(names, REGISTERS, strict=False))
    stores = "".join(line(f"sw %[{n}], {4 * i}(%[t])") for i, n in enumerate(sums))
    fields = {
        "LOOP": LOOP,
        "BEGIN": "".join(map(line, ["li %[bias], @BIASES@", *(f"li %[{n}], 0" for n in sums)])),
        "TURN": "".join(_steps(block, walk, k, 2) for k in range(0, block.unroll, 2))
        + advance(walk, block.unroll),
        "STEP": _steps(block, walk, 0, 1) + advance(walk, 1),
        "END": stores,
        "CLOBBERED": ", ".join(f'"{r}"' for r in taken.values()),
        "WORD": walk.word,
        "UNROLL": block.unroll,
        "COUNT": len(sums),
        "STORED": "".join(
            f"  {name}_part(held[{2 * n}], held[{2 * n + 1}], pairs, "
            f"sums + {c * block.rows + 2 * p});\n"
            for n, (c, p) in enumerate(places)
        ),
    }
    text = filled(_C, fields)
    for operand, register in taken.items():
        text = text.replace(f"%[{operand}]", register)
    return filled(PART + text, {"BIASES": BIAS * 65537, "BIAS": BIAS, "NAME": name})


def _steps(block: Block, walk: Walk, k: int, steps: int) -> str:
    """Return the instructions of one or two steps from k on: the fewer operands stay loaded."""
    words = [
        [f"lw %[{{}}], {4 * (n * walk.word + p * walk.pair)}(%[x])" for n in range(k, k + steps)]
        for p in range(block.words)
    ]
    bytes_ = [
        [f"lb %[{{}}], {n * walk.step + c * walk.output}(%[w])" for n in range(k, k + steps)]
        for c in range(block.outputs)
    ]
    by_word = block.words <= block.outputs
    kept, passed = (words, bytes_) if by_word else (bytes_, words)
    lines = [
        load.format(f"{n}{i}")
        for i, loads in enumerate(kept)
        for n, load in zip("ab", loads, strict=False)
    ]
    for j, loads in enumerate(passed):
        lines += [load.format(n) for n, load in zip("vu", loads, strict=False)]
        for i in range(len(kept)):
            place = f"{j}{i}" if by_word else f"{i}{j}"
            lines += _product(i, place, steps)
    return "".join(map(line, lines))


def _product(i: int, place: str, steps: int) -> list[str]:
    """Return the instructions for a product of two steps, or of one."""
    second = [f"mul %[q], %[b{i}], %[u]", "add %[t], %[t], %[q]"] if steps == 2 else []
    return [
        f"mul %[t], %[a{i}], %[v]",
        *second,
        "add %[t], %[t], %[bias]",
        f"add %[s{place}], %[s{place}], %[t]",
        "srl %[t], %[t], 16",
        f"add %[h{place}], %[h{place}], %[t]",
    ]


_C = """
static inline void @NAME@(const int32_t *x, const int8_t *w, int32_t steps, int32_t *sums) {
  const int32_t rest = steps & (@UNROLL@ - 1);
  const int32_t *const turns = x + @WORD@ * (steps - rest), *const end = x + @WORD@ * steps;
  const uint32_t pairs = (uint32_t)((steps - rest) / 2 + rest);
  uint32_t held[@COUNT@], *const found = held;
@LOOP@@STORED@}
"""
