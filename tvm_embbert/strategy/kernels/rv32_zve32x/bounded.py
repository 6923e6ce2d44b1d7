"""The context of a row where weights are small: sums of 16 bits while these hold them.

Values are up to 128 in size, so that 16 bits hold the sum of all products whose weights add up to
255. Only then do the sums go to 32 bits, in memory. A row's weights may add up to 127 a key, and
then that happens at every third key; it is rare where they fall off from the largest one.

One load takes the even channels of a key to one group of registers and the odd ones to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.contexts import mix_meaning, mix_types

LARGEST = 128
"""Channels whose sums of 16 bits fit the registers for them, where these have 128 bits."""
BOUND = 255
_HALVES = tuple((group, part) for group in (0, 8) for part in (0, 4))
"""First register of a group of sums, even channels or odd ones, and of its half."""


@cache
def mix_bounded(width: int, shift: int, sparse: bool, unroll: int) -> Intrinsic:
    """Return the intrinsic that makes the context of a row of `width` channels, even, up to 128.

    Parameters: those of :func:`~tvm_embbert.strategy.kernels.rv32_zve32x.contexts.mix`, and after
    ``result`` ``sums`` int32 (width), memory for the sums.

    Parameters
    ----------
    width, shift : int
        Channels; bits by which sums are shifted before they are scaled.
    sparse : bool
        Whether a key of weight 0 is passed over: that is worth a branch where many are.
    unroll : int
        Keys in a turn of the loop.
    """
    types = mix_types(memory=True)
    name = f"te_rvv_mix_bounded_{width}_{shift}{'_sparse' * sparse}_{unroll}"
    read = {n: n for n in ("weights", "inverse", "offset", "keys", "result", "sums")}
    read |= {"bound": str(BOUND)}
    lines = _mixing(width, shift, sparse, unroll)
    body = f"  int32_t held = 0, end = 0, part = 0;\n{assembly(lines, _CHANGED, read)}"
    return intrinsic(name, types, body, mix_meaning(width, shift, memory=True), ("keys",))


_CHANGED = ["v", "held", "end", "part"]


def _mixing(width: int, shift: int, sparse: bool, unroll: int) -> Iterator[str]:
    """Yield all steps: t0 lanes, t1 and t2 those of either half, t3 the weight, t4 the sum."""
    yield f"li t0, {width // 2}"
    yield "vsetvli t1, t0, e32, m8, ta, ma"
    yield "sub t2, t0, t1"
    yield from _begin()
    yield "mv t3, {weights}"
    yield "add {end}, {weights}, {keys}"
    yield "li t4, 0"
    yield "2:"
    yield "sub t5, {end}, t3"
    yield f"sltiu t5, t5, {unroll}"
    yield "bnez t5, 3f"
    for key in range(unroll):
        yield from _add(width, key, sparse)
    yield f"addi t3, t3, {unroll}"
    yield "j 2b"
    yield "3:"
    yield "beq t3, {end}, 4f"
    yield from _add(width, 0, sparse)
    yield "addi t3, t3, 1"
    yield "j 3b"
    yield "7:"
    yield from _flush()
    yield "4:"
    yield from _finish(shift)


def _begin() -> Iterator[str]:
    """Let the sums in memory begin at the offset, those in registers at 0."""
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vmv.v.x v24, {offset}"
    yield from _by_halves("vse32.v v24, ({part})", "e32, m8")
    yield from _clear()


def _clear() -> Iterator[str]:
    """Let the sums in registers begin at 0; the vector type is left for bytes."""
    yield "vsetvli zero, t0, e16, m8, ta, ma"
    yield "vmv.v.i v0, 0"
    yield "vmv.v.i v8, 0"
    yield "vsetvli zero, t0, e8, m4, ta, ma"


def _by_halves(line: str, size: str) -> Iterator[str]:
    """Yield a line for each half of the sums in memory."""
    yield "mv {part}, {sums}"
    for _, half in _HALVES:
        lanes = "t2" if half else "t1"
        yield f"vsetvli zero, {lanes}, {size}, ta, ma"
        yield line
        yield f"slli t5, {lanes}, 2"
        yield "add {part}, {part}, t5"


def _add(width: int, key: int, sparse: bool) -> Iterator[str]:
    """Yield the products of a key, after making room for them where there is none."""
    yield f"lbu t5, {key}(t3)"
    if sparse:
        yield "beqz t5, 6f"
    yield "add t4, t4, t5"
    yield "bleu t4, {bound}, 5f"
    yield "jal {held}, 7f"
    yield "5:"
    yield "vlseg2e8.v v16, ({v})"
    yield "vwmacc.vx v0, t5, v16"
    yield "vwmacc.vx v8, t5, v20"
    if sparse:
        yield "6:"
    yield f"addi {{v}}, {{v}}, {width}"


def _flush() -> Iterator[str]:
    """Yield what is called to add the sums to those in memory."""
    yield "mv t4, t5"
    yield "mv {part}, {sums}"
    for group, half in _HALVES:
        lanes = "t2" if half else "t1"
        yield f"vsetvli zero, {lanes}, e16, m4, ta, ma"
        yield "vle32.v v24, ({part})"
        yield f"vwadd.wv v24, v24, v{group + half}"
        yield "vse32.v v24, ({part})"
        yield f"slli t6, {lanes}, 2"
        yield "add {part}, {part}, t6"
    yield from _clear()
    yield "jr {held}"


def _finish(shift: int) -> Iterator[str]:
    """Yield the last addition, the scaling and the store of the channels in their order."""
    yield "mv {part}, {sums}"
    for group, half in _HALVES:
        lanes = "t2" if half else "t1"
        yield f"vsetvli zero, {lanes}, e16, m4, ta, ma"
        yield "vle32.v v24, ({part})"
        yield f"vwadd.wv v24, v24, v{group + half}"
        yield "vse32.v v24, ({part})"
        yield "vsetvli zero, zero, e32, m8, ta, ma"
        if shift:
            yield f"vsll.vi v24, v24, {shift}"
        yield "vmulh.vx v24, v24, {inverse}"
        yield "vsetvli zero, zero, e16, m4, ta, ma"
        yield f"vnclip.wi v{group + half}, v24, 0"
        yield f"slli t6, {lanes}, 2"
        yield "add {part}, {part}, t6"
    yield "vsetvli zero, t0, e8, m4, ta, ma"
    yield "vnclip.wi v16, v0, 0"
    yield "vnclip.wi v20, v8, 0"
    yield "vsseg2e8.v v16, ({result})"
