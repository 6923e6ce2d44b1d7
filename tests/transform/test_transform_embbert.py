"""Each pass on EmbBERT: the same result, and the form that it is there for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from relax_graph import CONFIG, calls, counts, same

from tvm_embbert import compat
from tvm_embbert.transform.pipeline import FLOAT_PASSES, simplify

NAMES = [run.__name__ for run in FLOAT_PASSES]
LAYERS, HIDDEN = CONFIG.num_hidden_layers, CONFIG.hidden_size
IDS = {
    "one token": [2],
    "two tokens": [2, 9],
    "kernel length": [2, 9, 63, 5],
    "one sentence": [2, 17, 8, 33, 5, 4],
    "two sentences": [2, 17, 8, 4, 33, 5, 60, 4],
    "trailing padding": [2, 17, 8, 4, 0, 0, 0],
    "interior padding": [2, 0, 17, 0, 0, 8, 4, 11],
    "longest": [2, *range(5, 35), 4],
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
@pytest.mark.parametrize(("before", "after"), pairwise(["imported", *NAMES]))
def test_result_stays(logits_after, before, after, ids):
    np.testing.assert_allclose(
        logits_after(after, ids), logits_after(before, ids), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
def test_import_computes_the_model(model, logits_after, ids):
    with torch.no_grad():
        expected = model(torch.tensor([ids])).numpy().reshape(-1)
    np.testing.assert_allclose(logits_after("imported", ids), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("run", FLOAT_PASSES, ids=NAMES)
def test_second_run_changes_nothing(stages, run):
    once = stages[run.__name__]
    assert same(run(once), once)


@pytest.mark.parametrize("run", FLOAT_PASSES, ids=NAMES)
def test_simplified_model_stays_as_it_is(stages, run):
    last = stages[NAMES[-1]]
    assert same(run(last), last)


def test_simplify_runs_all_passes(stages):
    assert same(simplify(stages["imported"]), stages[NAMES[-1]])


def test_drop_unit_batch_leaves_matrices_alone(stages):
    mod = stages["drop_unit_batch"]
    assert not {"reshape", "broadcast_to"} & set(counts(mod))
    assert counts(mod)["expand_dims"] == LAYERS  # before each convolution
    (ids,) = mod[compat.MAIN].params
    assert compat.dtype_of(ids) == "int32"
    assert [str(d) for d in compat.shape_of(ids)] == ["n"]
    assert compat.upper_bounds(mod[compat.MAIN]) == {"n": CONFIG.max_length}
    assert not any(compat.dtype_of(c) == "int64" for c in calls(mod))


def test_canonicalize_arithmetic_leaves_one_form(stages):
    mod = stages["canonicalize_arithmetic"]
    assert not {"divide", "sigmoid"} & set(counts(mod))
    assert counts(mod)["nn.silu"] == LAYERS
    both = (*calls(mod, "add"), *calls(mod, "multiply"))
    assert not any(compat.is_constant(c.args[0]) for c in both)


def test_fold_channel_gain_leaves_no_gain(stages):
    assert _vector_gains(stages["canonicalize_arithmetic"]) == LAYERS
    assert _vector_gains(stages["fold_channel_gain"]) == 0


def _vector_gains(mod):
    """Count products with a gain that belong to a normalisation."""
    variables = {b.var: b.value for b in compat.bindings(mod[compat.MAIN])}

    def is_normalised(expr):
        call = variables.get(expr)
        return compat.is_call(call, "relax.multiply") and compat.is_call(
            variables.get(call.args[1]), "relax.rsqrt"
        )

    return sum(
        compat.is_constant(c.args[1])
        and compat.shape_of(c.args[1]) == (HIDDEN,)
        and is_normalised(c.args[0])
        for c in calls(mod, "multiply")
    )


def test_fold_scale_leaves_no_product_with_a_constant(stages):
    products = calls(stages["fold_scale"], "multiply")
    assert not any(compat.is_constant(c.args[1]) for c in products)
    assert len(products) == 2 * LAYERS  # x * x and x * rsqrt(...)


def test_sum_projections_leaves_one_product_a_layer(stages):
    mod = stages["sum_projections"]
    assert counts(mod)["concat"] == 1 + LAYERS  # the embedding, too
    assert "subtract" not in counts(mod)
    summed = [c for c in calls(mod, "matmul") if compat.shape_of(c.args[0])[-1] == 2 * HIDDEN]
    assert len(summed) == LAYERS


def test_drop_dead_rows_leaves_one_row_of_the_last_layer(stages):
    products = calls(stages["drop_dead_rows"], "matmul")
    whole = [compat.shape_of(c)[0] for c in products if not isinstance(compat.shape_of(c)[0], int)]
    assert len(whole) == 1 + 4 * (LAYERS - 1)  # embedding; query, scores, context, output
    assert [compat.shape_of(c)[0] for c in products[len(whole) :]] == [1] * 5
    assert "take" not in {c.op.name for c in calls(stages["drop_dead_rows"])[-4:]}
    assert compat.shape_of(calls(stages["drop_dead_rows"], "nn.conv1d")[-1])[-1] == 1
