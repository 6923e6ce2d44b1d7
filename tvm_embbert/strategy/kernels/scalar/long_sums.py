"""Long sums: SMLAL adds a product of both rows to a sum of 64 bits, whose lower 23 are row 0's.

Counted as instructions this is one for two products. On a Cortex-M3 SMLAL takes 4 to 7 cycles where
MLA takes 2; on a Cortex-M33 they are alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import Block, filled

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk


def long_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    places = [(c, p) for c in range(block.outputs) for p in range(block.words)]
    halves = [f"{half}{c}{p}" for c, p in places for half in "lh"]
    fields = {
        "NAME": name,
        "DECLARED": ", ".join(f"{h} = 0" for h in halves),
        "OPERANDS": ", ".join(f'[{h}] "+r"({h})' for h in halves),
        "TURN": "".join(_step(block, walk, k) for k in range(block.unroll))
        + _advance(walk, block.unroll),
        "STEP": _step(block, walk, 0) + _advance(walk, 1),
        "WORD": walk.word,
        "UNROLL": block.unroll,
        "STORED": "".join(
            f"  {name}_part(l{c}{p}, h{c}{p}, sums + {c * block.rows + 2 * p});\n"
            for c, p in places
        ),
        "BITS": block.bits,
    }
    return filled(_C, fields)


def _step(block: Block, walk: Walk, k: int) -> str:
    """Return the instructions of step k of a turn."""
    base = 4 * k * walk.word
    if block.outputs > 1:
        loads = _load_words(walk, base, range(block.words))
        return loads + "".join(_times(block, walk, k, c) for c in range(block.outputs))
    lines = _line(f"ldrsb %[v], [%[w], #{k * walk.step}]")
    for first in range(0, block.words, 2):
        pairs = range(first, min(first + 2, block.words))
        lines += _load_words(walk, base, pairs)
        lines += "".join(_multiply(0, p, "ab"[p - first]) for p in pairs)
    return lines


def _load_words(walk: Walk, base: int, pairs: range) -> str:
    if walk.pair == 1 and len(pairs) == 2:
        return _line(f"ldrd %[a], %[b], [%[x], #{base + 4 * pairs[0]}]")
    places = zip("ab", pairs, strict=False)
    return "".join(_line(f"ldr %[{r}], [%[x], #{base + 4 * p * walk.pair}]") for r, p in places)


def _times(block: Block, walk: Walk, k: int, c: int) -> str:
    load = _line(f"ldrsb %[v], [%[w], #{k * walk.step + c * walk.output}]")
    return load + "".join(_multiply(c, p, "ab"[p]) for p in range(block.words))


def _multiply(c: int, p: int, word: str) -> str:
    return _line(f"smlal %[l{c}{p}], %[h{c}{p}], %[{word}], %[v]")


def _advance(walk: Walk, steps: int) -> str:
    words = _line(f"add %[x], %[x], #{4 * steps * walk.word}")
    return words + _line(f"add %[w], %[w], #{steps * walk.step}")


def _line(instruction: str) -> str:
    return f'\n        "{instruction}\\n\\t"'


_C = """
static inline void @NAME@_part(int32_t low, int32_t high, int32_t *sums) {
  const int32_t row0 = (int32_t)((uint32_t)low << @LEFT@) >> @LEFT@;
  const uint32_t borrow = (uint32_t)low >> (@BITS@ - 1) & 1u;
  sums[0] = row0;
  sums[1] = (int32_t)(((uint32_t)high << @LEFT@ | (uint32_t)low >> @BITS@) + borrow);
}

static inline void @NAME@(const int32_t *x, const int8_t *w, int32_t steps, int32_t *sums) {
  const int32_t *const turns = x + @WORD@ * (steps & ~(@UNROLL@ - 1));
  const int32_t *const end = x + @WORD@ * steps;
  int32_t @DECLARED@, a, b, v;
  __asm__ volatile(
        "b 2f\\n"
        "1:\\n\\t"@TURN@
        "2:\\n\\t"
        "ldr %[a], %[turns]\\n\\t"
        "cmp %[x], %[a]\\n\\t"
        "bne 1b\\n\\t"
        "b 4f\\n"
        "3:\\n\\t"@STEP@
        "4:\\n\\t"
        "ldr %[a], %[end]\\n\\t"
        "cmp %[x], %[a]\\n\\t"
        "bne 3b\\n\\t"
        : @OPERANDS@, [x] "+r"(x), [w] "+r"(w), [a] "=&r"(a), [b] "=&r"(b), [v] "=&r"(v)
        : [turns] "m"(turns), [end] "m"(end)
        : "cc", "memory");
@STORED@}
""".replace("@LEFT@", "(32 - @BITS@)")
