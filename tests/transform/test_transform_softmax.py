"""Softmax normalised after the product with the values: the form, its result, what stays."""

from __future__ import annotations

import numpy as np
import pytest
from relax_graph import calls, counts, same
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.defer_softmax_normalization import defer_softmax_normalization

op = relax.op
KEYS, WIDTH = 7, 4
SCORES, VALUES = (5, KEYS), (KEYS, WIDTH)


def attend(emit, scores, values):
    return emit(op.matmul(emit(op.nn.softmax(scores)), values))


def attend_late(emit, scores, values):
    largest = emit(op.max(scores, [-1], keepdims=True))
    weights = emit(op.exp(emit(op.subtract(scores, largest))))
    context = emit(op.matmul(weights, values))
    return emit(op.divide(context, emit(op.sum(weights, [-1], keepdims=True))))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(before, *inputs):
    """Compare the module with what the pass makes of it, which must be another one."""
    after = defer_softmax_normalization(before)
    assert not same(before, after)
    expected, result = (compat.compile_on_host(m)(*inputs) for m in (before, after))
    assert np.isfinite(expected).all()
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


def test_division_comes_after_the_product(make):
    after = defer_softmax_normalization(make(attend, SCORES, VALUES))
    assert same(after, make(attend_late, SCORES, VALUES))


def test_form_for_a_symbolic_number_of_keys(make, length):
    shapes = (length, length), (length, WIDTH)
    after = defer_softmax_normalization(make(attend, *shapes))
    assert same(after, make(attend_late, *shapes))


@pytest.mark.parametrize("axis", [-1, 1])
def test_last_axis_by_either_number(make, axis):
    mod = make(lambda e, s, v: e(op.matmul(e(op.nn.softmax(s, axis)), v)), SCORES, VALUES)
    assert same(defer_softmax_normalization(mod), make(attend_late, SCORES, VALUES))


@pytest.mark.parametrize("size", [1, 20, 1e4, 1e30], ids=str)
def test_scores_of_any_size(make, size):
    assert_close(make(attend, SCORES, VALUES), size * numbers(*SCORES), numbers(*VALUES))


def test_scores_far_from_zero(make):
    """Without the largest one taken off, their exponentials would be infinite, or all 0."""
    mod = make(attend, SCORES, VALUES)
    for offset in (-1000, 1000):
        assert_close(mod, numbers(*SCORES) + np.float32(offset), numbers(*VALUES))


@pytest.mark.parametrize("hidden", [-1e9, -np.inf])
def test_hidden_scores(make, hidden):
    scores = numbers(*SCORES)
    scores[0, 1:], scores[1, ::2], scores[2:, -1] = hidden, hidden, hidden
    assert_close(make(attend, SCORES, VALUES), scores, numbers(*VALUES))


def test_row_without_any_score_left(make):
    scores = numbers(*SCORES)
    scores[3] = -1e9
    assert_close(make(attend, SCORES, VALUES), scores, numbers(*VALUES))


def test_mask_stays_part_of_the_scores(make):
    def masked(attention):
        def body(emit, scores, values, marks):
            mask = emit(op.greater(marks, relax.const(0.0)))
            hidden = emit(op.where(mask, relax.const(-1e9), scores))
            return attention(emit, hidden, values)

        return make(body, SCORES, VALUES, (KEYS,))

    assert same(defer_softmax_normalization(masked(attend)), masked(attend_late))
    marks = np.array([-1, 1, -1, -1, 1, -1, 1], np.float32)
    assert_close(masked(attend), numbers(*SCORES), numbers(*VALUES), marks)


@pytest.mark.parametrize(
    ("scores", "values"),
    [
        ((KEYS,), VALUES),
        (SCORES, (3, *VALUES)),
        ((3, *SCORES), VALUES),
        ((3, *SCORES), (3, *VALUES)),
    ],
    ids=str,
)
def test_other_ranks_than_matrices(make, scores, values):
    assert_close(make(attend, scores, values), numbers(*scores), numbers(*values))


def test_two_attentions_in_a_row(make):
    def body(emit, scores, values):
        return attend(emit, attend(emit, scores, values), emit(op.permute_dims(values)))

    mod = make(body, (5, KEYS), (KEYS, KEYS))
    assert counts(defer_softmax_normalization(mod))["divide"] == 2
    assert_close(mod, numbers(5, KEYS), numbers(KEYS, KEYS))


def _read_twice(emit, scores, values):
    weights = emit(op.nn.softmax(scores))
    return emit(op.add(emit(op.matmul(weights, values)), emit(op.sum(weights, keepdims=True))))


def _squared(emit, scores, values):
    weights = emit(op.nn.softmax(scores))
    return emit(op.matmul(weights, weights))


STAYS = {
    "read twice": (_read_twice, SCORES, VALUES),
    "both factors": (_squared, (KEYS, KEYS), VALUES),
    "another axis": (
        lambda e, s, v: e(op.matmul(e(op.nn.softmax(s, 0)), v)), SCORES, VALUES,
    ),
    "middle axis": (
        lambda e, s, v: e(op.matmul(e(op.nn.softmax(s, 1)), v)), (3, *SCORES), VALUES,
    ),
    "right factor": (lambda e, s, v: e(op.matmul(v, e(op.nn.softmax(s)))), SCORES, (3, 5)),
    "no product": (lambda e, s, v: e(op.nn.softmax(s)), SCORES, VALUES),
    "constant factor": (
        lambda e, s, v: e(op.matmul(e(op.nn.softmax(s)), relax.const(numbers(*VALUES)))),
        SCORES, VALUES,
    ),
    "one value a key": (attend, SCORES, (KEYS,)),
}  # fmt: skip


@pytest.mark.parametrize("case", STAYS)
def test_softmax_that_stays(make, case):
    body, *shapes = STAYS[case]
    mod = make(body, *shapes)
    assert counts(mod)["nn.softmax"] == 1
    assert same(defer_softmax_normalization(mod), mod)


def test_softmax_that_is_part_of_the_result_stays():
    scores, values = (
        relax.Var(n, compat.tensor_type(s, "float32")) for n, s in (("s", SCORES), ("v", VALUES))
    )
    builder = relax.BlockBuilder()
    with builder.function(compat.MAIN, [scores, values]):
        with builder.dataflow():
            weights = builder.emit(op.nn.softmax(scores))
            context = builder.emit(op.matmul(weights, values))
            result = builder.emit_output(relax.Tuple([weights, context]))
        builder.emit_func_output(result)
    mod = compat.with_bounds(builder.get(), {})
    assert counts(defer_softmax_normalization(mod))["nn.softmax"] == 1


def test_second_run_changes_nothing(make):
    once = defer_softmax_normalization(make(attend, SCORES, VALUES))
    assert same(defer_softmax_normalization(once), once)


def test_pipeline_leaves_no_softmax_in_the_model(stages):
    mods = list(stages.values())
    heads = counts(mods[0])["nn.softmax"]
    assert heads > 0
    assert "nn.softmax" not in counts(mods[-1])
    assert counts(mods[-1])["exp"] == counts(mods[-1])["divide"] == heads
    contexts = [compat.shape_of(c.args[0]) for c in calls(mods[-1], "divide")]
    sums = [compat.shape_of(c.args[1]) for c in calls(mods[-1], "divide")]
    assert [s[-1] for s in sums] == [1] * heads
    assert all(compat.same_shape(c[:1], s[:1]) for c, s in zip(contexts, sums, strict=True))
