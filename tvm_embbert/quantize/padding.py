"""Prove that trailing padding does not change the result, so that it need not be computed."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import IntegerCall, Tensor


def padding_is_dead(calls: Sequence[IntegerCall], pad_token: int) -> bool:
    """Return whether appending `pad_token` to the input leaves the result as it is.

    It does where each row of each tensor depends on earlier rows alone, attention apart, which
    must hide the padding by a mask that is true exactly where the id is `pad_token`; and where the
    result is made of leading rows.
    """
    made = {c.output.name for c in calls}
    masks = {c.output.name for c in calls if _is_padding_mask(c, pad_token, made)}
    return not isinstance(calls[-1].rows, str) and all(_keeps_rows(c, masks) for c in calls)


def _is_padding_mask(call: IntegerCall, pad_token: int, made: set[str]) -> bool:
    """Return whether the call compares the input, which no call makes, with the padding."""
    if call.operator != "elementwise":
        return False
    function, operand, *rest = call.args
    of_input = isinstance(operand, Tensor) and operand.name not in made
    return function == "equal" and of_input and rest == [pad_token]


def _keeps_rows(call: IntegerCall, masks: set[str]) -> bool:
    if registry.operator(call.operator).causal_rows:
        return True
    hidden = [t for t in call.tensors if t.dtype == "bool"]
    return call.operator == "attention" and any(t.name in masks for t in hidden)
