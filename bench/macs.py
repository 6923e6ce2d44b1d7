"""Multiply-accumulates of a model's steps: what they have to compute, however they do it."""

from __future__ import annotations

from tvm_embbert.program.program import Step
from tvm_embbert.strategy.operator import Dim, IntegerCall

PER_INSTRUCTION = {
    "portable": 1.0,
    "armv7-m": 2.0,
    "armv7e-m-dsp": 2.0,
    "armv8.1-m-mve": 16.0,
    "rv32im": 2.0,
    "rv32-zve32x": 64.0,
}
"""Multiply-accumulates of the instruction set's best instruction: MLA, SMLAL of two rows in a word,
SMLAD, VMLADAVA.S8, MUL of two rows in a word, and VWMACC of bytes in groups of four registers of
128 bits."""


def multiply_accumulates(step: Step, length: int) -> int:
    """Return the multiply-accumulates of a step for an input of `length` tokens; 0 for most."""
    call = step.choice.call
    counter = {
        "linear": _linear,
        "attention": _attention,
        "causal_convolution": _causal_convolution,
    }.get(step.operator)
    return counter(call, length) if counter else 0


def _rows(dim: Dim, length: int) -> int:
    return length if isinstance(dim, str) else dim


def _linear(call: IntegerCall, length: int) -> int:
    weight = call.constants[-3]
    return _rows(call.rows, length) * int(weight.size)


def _attention(call: IntegerCall, length: int) -> int:
    q, k, v = call.tensors[:3]
    pairs = _rows(q.shape[0], length) * _rows(k.shape[0], length)
    return pairs * (_rows(q.shape[1], length) + _rows(v.shape[1], length))


def _causal_convolution(call: IntegerCall, length: int) -> int:
    """Count the taps that there are: none in front of row 0."""
    taps, outputs = call.constants[0].shape
    rows = _rows(call.rows, length)
    return outputs * sum(min(row + 1, taps) for row in range(rows))
