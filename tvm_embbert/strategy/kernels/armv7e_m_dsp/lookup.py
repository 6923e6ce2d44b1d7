"""An activation as a table: four channels are loaded and stored at once."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights import unrolled
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

WORD = 4
"""Channels of a word."""


@register_implementation
class DspLookup(Implementation):
    """Word by word: the rows of a tensor lie one behind the other."""

    operator = "lookup"
    isa = "armv7e-m-dsp"
    priority = 10

    def reject(self, call: IntegerCall) -> str:
        """Take channels that are whole words."""
        channels = int(call.output.shape[-1])
        return f"{channels} channels are no multiple of {WORD}" if channels % WORD else ""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the words of a turn."""
        return (Knob("words", (1, 2, 4, 8), 1),)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's width; the result may take the input's place."""
        x, table = call.args
        find = lookup_words(int(config["words"]))
        return Kernel(
            _lookup(int(x.shape[-1]), find),
            (table,),
            dims={"rows": call.rows},
            in_place=call.tensors[0].name,
            intrinsics=(find,),
        )


def lookup_words(unroll: int) -> Intrinsic:
    """Return the intrinsic: entry ``x + 128`` of ``table`` (256) for each of ``words`` words."""
    name = f"te_dsp_lookup_{unroll}"
    source = _C.replace("@NAME@", name).replace("@UNROLL@\n", unrolled(unroll))
    return Intrinsic(name, source, _meaning(), ("words",), guard=GUARD)


def _lookup(channels: int, find: Intrinsic) -> Any:
    with prim_func("lookup_dsp") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (rows, channels), "int8")
        words = rows * (channels // WORD)
        find(address(x[0, 0]), address(table[0]), address(result[0, 0]), words)
    return tir.prim_func


def _meaning() -> Any:
    with prim_func("lookup") as tir:
        words = tir.dim("words")
        x = tir.tensor("x", (words, WORD), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (words, WORD), "int8")
        with tir.loop("i", words) as i, tir.loop("c", WORD) as c:
            tir.store(result, (i, c), table[widened(x[i, c]) + T.int32(128)])
    return tir.prim_func


_C = """
static void @NAME@(const int8_t *x, const int8_t *table, int8_t *result, int32_t words) {
  const uint8_t *const entries = (const uint8_t *)table + 128;
@UNROLL@
  for (const int8_t *const end = x + 4 * words; x != end; x += 4, result += 4) {
    int32_t word;
    __builtin_memcpy(&word, x, 4);
    const uint32_t low = entries[(int8_t)word] | (uint32_t)entries[(int8_t)(word >> 8)] << 8;
    const uint32_t high = entries[(int8_t)(word >> 16)] | (uint32_t)entries[word >> 24] << 8;
    const uint32_t found = low | high << 16;
    __builtin_memcpy(result, &found, 4);
  }
}
"""
