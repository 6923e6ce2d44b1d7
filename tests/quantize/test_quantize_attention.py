"""Which forms of attention the partition takes, and that they quantise alike."""

from __future__ import annotations

import pytest
from random_models import random_model, random_sentences
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.models.embbert import EmbBertConfig
from tvm_embbert.quantize.partition import partition
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.transform.defer_softmax_normalization import defer_softmax_normalization
from tvm_embbert.transform.pipeline import FLOAT_PASSES

op = relax.op
KEYS, WIDTH = 5, 5
DEEP = EmbBertConfig(200, 33, 16, 12, 1, 3, 3, 2)
LAST = {"axis": [-1], "keepdims": True}


def graph(context, masked=False):
    """Return a module of queries, keys and values of one shape, from its context."""
    shape = compat.tensor_type((KEYS, WIDTH), "float32")
    q, k, v = variables = [relax.Var(name, shape) for name in "qkv"]
    mask = relax.Var("mask", compat.tensor_type((KEYS,), "bool"))
    builder = relax.BlockBuilder()
    with builder.function(compat.MAIN, [*variables, mask]):
        with builder.dataflow():
            emit = builder.emit
            scores = emit(op.matmul(q, emit(op.permute_dims(k))))
            if masked:
                scores = emit(op.where(mask, relax.const(-1e9), scores))
            result = builder.emit_output(context(emit, scores, v))
        builder.emit_func_output(result)
    return compat.fold_constants(compat.with_bounds(builder.get(), {}))


def softmax(axis=-1):
    return lambda e, s, v: e(op.matmul(e(op.nn.softmax(s, axis)), v))


def in_parts(largest=LAST, total=LAST, own_sum=True, own_largest=True):
    def context(emit, scores, v):
        other = emit(op.tanh(scores))
        top = emit(op.max(scores if own_largest else other, **largest))
        weights = emit(op.exp(emit(op.subtract(scores, top))))
        summed = emit(op.sum(weights if own_sum else other, **total))
        return emit(op.divide(emit(op.matmul(weights, v)), summed))

    return context


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    "context",
    [softmax(), softmax(1), in_parts(), in_parts({"axis": [1], "keepdims": True})],
    ids=["softmax", "softmax 1", "in parts", "in parts 1"],
)
def test_attention_is_one_match(context, masked):
    (match,) = partition(graph(context, masked))
    assert match.operator.name == "attention"
    names = [compat.var_name(v) for v in match.operator.inputs(match)]
    assert names == ["q", "k", "v", "mask"][: 3 + masked]


WRONG = {
    "softmax over the queries": softmax(0),
    "largest over the queries": in_parts(largest={"axis": [0], "keepdims": True}),
    "largest of all": in_parts(largest={"keepdims": True}),
    "sum over the queries": in_parts(total={"axis": [0], "keepdims": True}),
    "sum that lies across": in_parts(total={"axis": [-1], "keepdims": False}),
}


@pytest.mark.parametrize("name", WRONG)
def test_reduction_over_another_axis_is_refused(name):
    with pytest.raises(UnsupportedOperatorError) as caught:
        partition(graph(WRONG[name]))
    assert caught.value.what == "No operator strategy takes this form of attention."
    assert "softmax over the last axis" in caught.value.supported


@pytest.mark.parametrize("other", ["own_sum", "own_largest"])
def test_reduction_of_another_tensor_is_refused(other):
    with pytest.raises(UnsupportedOperatorError, match=r"takes relax\.divide"):
        partition(graph(in_parts(**{other: False})))


def test_order_of_the_division_does_not_change_the_integers():
    """The scales come from the model's own order, whichever the graph has."""
    mod = from_torch(random_model(DEEP), DEEP.max_length)
    for run in FLOAT_PASSES:
        if run is not defer_softmax_normalization:
            mod = run(mod)
    late = defer_softmax_normalization(mod)
    sentences = random_sentences(DEEP, 24, 5)
    before, after = (quantize(m, sentences, 0) for m in (mod, late))
    assert compat.to_json(after.mod) == compat.to_json(before.mod)
    assert (after.scales, after.pad_token) == (before.scales, before.pad_token)
