"""Triple sums: two multiplications of 32 bits serve three rows, whose sums two sums determine.

Three rows ``a, b, c`` make two words, ``a + b * 2**21`` and ``c + b * 2**10``. Sums of products of
these and weights, modulo ``2**32``, hold the rows' sums ``A, B, C`` as ``A + B * 2**21`` and as
``C + B * 2**10``. While ``A`` and ``C`` are numbers of 21 bits and the second sum does not
overflow, they can be told apart: the first gives ``A`` and the lower 11 bits of ``B``; the second,
less what these bits add to it, gives ``C`` and, 21 bits up, the rest of ``B``. Split sums take two
and a half additions and shifts for each multiplication, these one; for that they must be told apart
every 64 steps, or later where the weights are known to be small enough. MLA is all that they need.

Steps of other places than one behind the other, such as those of keys that count, are told apart
after as many as a further parameter says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import TRIPLE_BITS, Block, filled

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk


def triple_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    sums = [f"s{c}{p}" for c in range(block.outputs) for p in range(block.words)]
    bytes_ = "" if walk.placed else " w += {} * @BYTES@;"
    fields = {
        "DECLARED": ", ".join(f"{n} = UINT32_MAX" for n in sums),
        "TURN": "".join(_step(block, walk, k) for k in range(block.unroll)),
        "STEP": _step(block, walk, 0),
        "TURNED": bytes_.format("@UNROLL@"),
        "STEPPED": bytes_.format(1),
        "FOUND": "".join(f"  found[{i}] = {n};\n" for i, n in enumerate(sums)),
    }
    return told_apart(name, block, walk, filled(_C, fields))


def told_apart(name: str, block: Block, walk: Walk, some: str) -> str:
    """Return the C function made of `some`, which stores the sums of steps that fit."""
    count = block.outputs * block.words
    reach, given = ("reach", "int32_t reach, ") if walk.placed else (block.reach, "")
    fields = {
        "SOME": some,
        "SUMMED": _BY_PARTS if block.reach else _WHOLE,
        "SET": "+=" if block.reach else "=",
        "CLEARED": "".join(f"  sums[{n}] = 0;\n" for n in range(count // 2 * 3)),
        "STORED": "".join(map(_stored, range(count // 2))),
        "ADVANCED": "" if walk.placed else "    w += @REACH@ * @BYTES@;\n",
        "REACHES": given,
        "REACH": reach,
        "UNROLL": block.unroll,
        "BYTES": walk.step,
        "WORD": walk.word,
        "COUNT": count,
        "UPPER": TRIPLE_BITS,
        "LEFT": 32 - block.bits,
        "BITS": block.bits,
        "NAME": name,
    }
    return filled(_SUMS, fields)


def _step(block: Block, walk: Walk, k: int) -> str:
    """Return statements for step k of a turn."""
    base = k * walk.word
    lines = [
        f"const uint32_t a{p} = (uint32_t)x[{base + p * walk.pair}];" for p in range(block.words)
    ]
    first, start = ("w", k * walk.step) if not walk.placed else ("from", 0)
    if walk.placed:
        lines.append(f"const int8_t *const from = w + x[{base + block.words}];")
    for c in range(block.outputs):
        lines.append(f"const uint32_t v{c} = (uint32_t){first}[{start + c * walk.output}];")
        lines.append(" ".join(f"s{c}{p} += a{p} * v{c};" for p in range(block.words)))
    return "    {\n" + "".join(f"      {line}\n" for line in lines) + "    }\n"


def _stored(n: int) -> str:
    return f"    @NAME@_part(found[{2 * n}], found[{2 * n + 1}], sums + {3 * n});\n"


_WHOLE = """\
  @NAME@_some(x, w, steps, found);
@STORED@"""

_BY_PARTS = """\
@CLEARED@  for (; steps > 0; steps -= @REACH@) {
    @NAME@_some(x, w, te_min(steps, @REACH@), found);
    x += @REACH@ * @WORD@;
@ADVANCED@@STORED@  }
"""

_SUMS = """
/* Both sums began with -1, so that the rows' are in the middle of what their bits can hold. */
static inline void @NAME@_part(uint32_t first, uint32_t second, int32_t *sums) {
  const int32_t row0 = (int32_t)(first << @LEFT@) >> @LEFT@;
  const uint32_t low = (first - (uint32_t)row0) >> @BITS@;
  const uint32_t rest = second - (low << @UPPER@);
  const int32_t row2 = (int32_t)(rest << @LEFT@) >> @LEFT@;
  const int32_t high = (int32_t)(rest - (uint32_t)row2) >> @BITS@;
  sums[0] @SET@ row0 + 1;
  sums[1] @SET@ (int32_t)(((uint32_t)high << @LEFT@) + low);
  sums[2] @SET@ row2 + 1;
}

@SOME@
static inline void @NAME@(const int32_t *x, const int8_t *w, int32_t steps,
    @REACHES@int32_t *sums) {
  uint32_t found[@COUNT@];
@SUMMED@}
"""

_C = """\
static inline void @NAME@_some(const int32_t *x, const int8_t *w, int32_t steps, uint32_t *found) {
  const int32_t *const turns = x + @WORD@ * (steps & ~(@UNROLL@ - 1));
  const int32_t *const end = x + @WORD@ * steps;
  uint32_t @DECLARED@;
  while (x != turns) {
@TURN@    x += @UNROLL@ * @WORD@;@TURNED@
  }
  while (x != end) {
@STEP@    x += @WORD@;@STEPPED@
  }
@FOUND@}
"""
