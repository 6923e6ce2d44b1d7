"""What the passes must leave alone, and what they must not get wrong."""

from __future__ import annotations

import numpy as np
import pytest
from relax_graph import assert_same_results, calls, counts, same
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.canonicalize_arithmetic import canonicalize_arithmetic
from tvm_embbert.transform.drop_dead_rows import drop_dead_rows
from tvm_embbert.transform.fold_channel_gain import fold_channel_gain
from tvm_embbert.transform.fold_scale import fold_scale
from tvm_embbert.transform.sum_projections import sum_projections

op = relax.op
C = 6
ROWS = 5


def weight(*shape, seed=0):
    return relax.const(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def first_row(emit, x):
    return emit(op.take(x, relax.const(0, "int64"), axis=0))


def convolved(emit, x, kernel, front, groups=C, **pad):
    """Emit a convolution over rows, padded in front and behind, with a bias."""
    padded = emit(op.nn.pad(emit(op.permute_dims(x)), [0, 0, front, kernel - 1 - front], **pad))
    filters = weight(C, C // groups, kernel)
    made = emit(op.nn.conv1d(emit(op.expand_dims(padded, 0)), filters, groups=groups))
    biased = emit(op.add(emit(op.squeeze(made, 0)), weight(C, 1, seed=1)))
    return emit(op.permute_dims(biased))


# canonicalize_arithmetic


@pytest.mark.parametrize("name", ["subtract", "divide"])
def test_constant_before_a_variable_stays(make, length, name):
    mod = make(lambda e, x: e(getattr(op, name)(weight(C), x)), (length, C))
    assert same(canonicalize_arithmetic(mod), mod)


def test_gate_of_another_tensor_is_no_silu(make, length):
    mod = make(lambda e, x, y: e(op.multiply(x, e(op.sigmoid(y)))), (length, C), (length, C))
    assert same(canonicalize_arithmetic(mod), mod)


@pytest.mark.parametrize("gate_first", [True, False])
def test_gate_of_the_same_tensor_is_silu(make, length, gate_first):
    def body(emit, x):
        pair = [emit(op.sigmoid(x)), x]
        return emit(op.multiply(*(pair if gate_first else reversed(pair))))

    mod = make(body, (length, C))
    assert counts(canonicalize_arithmetic(mod)) == {"nn.silu": 1}
    assert_same_results(mod, canonicalize_arithmetic(mod), (ROWS, C))


# fold_channel_gain


def test_gain_stays_for_a_reader_that_cannot_take_it(make, length):
    def body(emit, x):
        gained = emit(op.multiply(x, weight(C)))
        product = emit(op.matmul(gained, weight(C, C)))
        return emit(op.add(product, emit(op.nn.silu(gained))))

    mod = make(body, (length, C))
    after = fold_channel_gain(mod)
    assert counts(after)["multiply"] == 1
    assert calls(after, "matmul")[0].args[0].same_as(after[compat.MAIN].params[0])
    assert_same_results(mod, after, (ROWS, C))


@pytest.mark.parametrize("shape", [(), (1,), (8, 1), (8, C)])
def test_constant_that_is_no_channel_gain_stays(make, shape):
    mod = make(lambda e, x: e(op.matmul(e(op.multiply(x, weight(*shape))), weight(C, C))), (8, C))
    assert same(fold_channel_gain(mod), mod)


def test_gain_before_a_convolution_across_channels_stays(make, length):
    mod = make(lambda e, x: convolved(e, e(op.multiply(x, weight(C))), 3, 2, groups=1), (length, C))
    assert same(fold_channel_gain(mod), mod)


@pytest.mark.parametrize("front", [0, 1, 2])
def test_gain_goes_into_a_depthwise_convolution(make, length, front):
    mod = make(lambda e, x: convolved(e, e(op.multiply(x, weight(C))), 3, front), (length, C))
    after = fold_channel_gain(mod)
    assert "multiply" not in counts(after)
    assert_same_results(mod, after, (ROWS, C))


def test_gain_before_padding_with_other_than_zero(make, length):
    mod = make(
        lambda e, x: convolved(e, e(op.multiply(x, weight(C))), 3, 2, pad_value=1.0), (length, C)
    )
    assert_same_results(mod, fold_channel_gain(mod), (ROWS, C))


def test_gain_of_keys_and_values(make, length):
    def body(emit, x, q):
        gained = emit(op.multiply(x, weight(C)))
        scores = emit(op.matmul(emit(op.matmul(q, weight(C, C))), emit(op.permute_dims(gained))))
        return emit(op.matmul(emit(op.nn.softmax(scores)), gained))

    mod = make(body, (length, C), (3, C))
    after = fold_channel_gain(mod)
    assert calls(after)[-1].op.name == "relax.multiply"
    assert_same_results(mod, after, (ROWS, C), (3, C))


# fold_scale


def test_factor_that_is_computed_stays(make, length):
    mod = make(
        lambda e, x, y: e(op.multiply(e(op.matmul(x, weight(C, C))), y)), (length, C), (length, C)
    )
    assert same(fold_scale(mod), mod)


def test_factor_for_each_row_stays(make):
    mod = make(lambda e, x: e(op.multiply(e(op.matmul(x, weight(C, C))), weight(8, 1))), (8, C))
    assert same(fold_scale(mod), mod)


def test_factor_of_what_is_no_projection_stays(make, length):
    mod = make(lambda e, x: e(op.multiply(e(op.nn.silu(x)), weight(C))), (length, C))
    assert same(fold_scale(mod), mod)


def test_vector_after_a_product_of_two_tensors_stays(make):
    mod = make(lambda e, x, y: e(op.multiply(e(op.matmul(x, y)), weight(C))), (8, C), (C, C))
    assert same(fold_scale(mod), mod)


def test_other_reader_of_a_projection_sees_it_unscaled(make, length):
    def body(emit, x):
        projection = emit(op.add(emit(op.matmul(x, weight(C, C))), weight(C, seed=1)))
        scaled = emit(op.multiply(projection, weight(C, seed=2)))
        return emit(op.subtract(emit(op.nn.silu(projection)), scaled))

    mod = make(body, (length, C))
    assert "multiply" not in counts(fold_scale(mod))
    assert_same_results(mod, fold_scale(mod), (ROWS, C))


# sum_projections


@pytest.mark.parametrize("name", ["add", "subtract"])
def test_projection_and_another_tensor_stay_apart(make, length, name):
    mod = make(lambda e, x: e(getattr(op, name)(e(op.matmul(x, weight(C, C))), x)), (length, C))
    assert same(sum_projections(mod), mod)


def test_products_of_two_tensors_stay_apart(make):
    mod = make(lambda e, x: e(op.add(e(op.matmul(x, x)), e(op.matmul(x, x)))), (C, C))
    assert same(sum_projections(mod), mod)


@pytest.mark.parametrize("name", ["add", "subtract"])
@pytest.mark.parametrize("biases", [(), (0,), (1,), (0, 1)])
def test_sum_of_two_projections(make, length, name, biases):
    def projected(emit, x, number):
        made = emit(op.matmul(x, weight(C, 4, seed=number)))
        return emit(op.add(made, weight(4, seed=number + 2))) if number in biases else made

    def body(emit, x, y):
        return emit(getattr(op, name)(projected(emit, x, 0), projected(emit, y, 1)))

    mod = make(body, (length, C), (length, C))
    after = sum_projections(mod)
    assert counts(after)["matmul"] == counts(after)["concat"] == 1
    assert_same_results(mod, after, (ROWS, C), (ROWS, C))


def test_other_reader_of_a_projection_sees_its_part(make, length):
    def body(emit, x, y):
        left, right = (emit(op.matmul(t, weight(C, C, seed=i))) for i, t in enumerate((x, y)))
        return emit(op.multiply(emit(op.subtract(left, right)), right))

    mod = make(body, (length, C), (length, C))
    assert_same_results(mod, sum_projections(mod), (ROWS, C), (ROWS, C))


def test_projection_of_one_row_added_to_all_rows(make, length):
    def body(emit, x, row):
        return emit(op.add(emit(op.matmul(x, weight(C, C))), emit(op.matmul(row, weight(C, C)))))

    mod = make(body, (length, C), (1, C))
    assert_same_results(mod, sum_projections(mod), (ROWS, C), (1, C))


# drop_dead_rows


def test_other_row_than_the_first_keeps_all_rows(make):
    def body(emit, x):
        return emit(op.take(emit(op.nn.silu(x)), relax.const(1, "int64"), axis=0))

    mod = make(body, (8, C))
    assert same(drop_dead_rows(mod), mod)


def test_first_column_keeps_all_rows(make):
    def body(emit, x):
        return emit(op.take(emit(op.nn.silu(x)), relax.const(0, "int64"), axis=1))

    mod = make(body, (8, C))
    assert same(drop_dead_rows(mod), mod)


def test_first_row_of_what_is_read_whole_elsewhere(make, length):
    def body(emit, x):
        active = emit(op.nn.silu(x))
        total = emit(op.sum(active, axis=[0]))
        return emit(op.add(first_row(emit, active), total))

    mod = make(body, (length, C))
    after = drop_dead_rows(mod)
    assert compat.same_shape(compat.shape_of(calls(after, "nn.silu")[0]), (length, C))
    assert_same_results(mod, after, (ROWS, C))


@pytest.mark.parametrize("front", [0, 1, 2])
def test_first_row_of_a_convolution(make, length, front):
    """Row 0 depends on row 0 alone only where all padding is in front."""
    mod = make(lambda e, x: first_row(e, convolved(e, x, 3, front)), (length, C))
    after = drop_dead_rows(mod)
    assert_same_results(mod, after, (ROWS, C))
    rows = compat.shape_of(calls(after, "nn.conv1d")[0])[-1]
    assert (str(rows) == "1") == (front == 2)


def test_first_row_of_a_convolution_whose_middle_is_read(make, length):
    def body(emit, x):
        turned = emit(op.permute_dims(x))
        padded = emit(op.expand_dims(emit(op.nn.pad(turned, [0, 0, 2, 0])), 0))
        made = emit(op.nn.conv1d(padded, weight(C, 1, 3), groups=C))
        result = emit(op.permute_dims(emit(op.add(emit(op.squeeze(made, 0)), weight(C, 1)))))
        return emit(op.add(first_row(emit, result), emit(op.sum(turned, axis=[1]))))

    mod = make(body, (length, C))
    after = drop_dead_rows(mod)
    assert not isinstance(compat.shape_of(calls(after, "nn.conv1d")[0])[-1], int)
    assert_same_results(mod, after, (ROWS, C))


def test_keys_and_values_stay_whole(make, length):
    def body(emit, x):
        scores = emit(op.matmul(emit(op.nn.silu(x)), emit(op.permute_dims(x))))
        return first_row(emit, emit(op.matmul(emit(op.nn.softmax(scores)), x)))

    mod = make(body, (length, C))
    after = drop_dead_rows(mod)
    assert compat.same_shape(compat.shape_of(calls(after, "nn.softmax")[0]), (1, length))
    assert_same_results(mod, after, (ROWS, C))


@pytest.mark.parametrize("axis", [0, 1])
def test_first_row_of_a_softmax_over_either_axis(make, length, axis):
    mod = make(lambda e, x: first_row(e, e(op.nn.softmax(x, axis))), (length, C))
    assert_same_results(mod, drop_dead_rows(mod), (ROWS, C))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_first_row_of_a_concatenation(make, length, axis):
    shape = (length, C) if axis % 2 else (4, C)
    mod = make(lambda e, x, y: first_row(e, e(op.concat([x, y], axis))), shape, shape)
    rows = ROWS if axis % 2 else 4
    assert_same_results(mod, drop_dead_rows(mod), (rows, C), (rows, C))


VECTORS = {
    "softmax": lambda e, x: e(op.nn.softmax(x)),
    "mean": lambda e, x: e(op.mean(x, -1, keepdims=True)),
    "matmul": lambda e, x: e(op.matmul(x, weight(8, 3))),
    "concat": lambda e, x: e(op.concat([x, x], -1)),
}


@pytest.mark.parametrize("body", VECTORS.values(), ids=VECTORS.keys())
def test_first_element_of_a_vector(make, body):
    """The last axis of a vector is its rows."""
    mod = make(lambda e, x: first_row(e, body(e, x)), (8,))
    assert_same_results(mod, drop_dead_rows(mod), (8,))


def test_constant_with_a_row_for_each_row(make):
    def body(emit, x):
        return first_row(emit, emit(op.add(emit(op.nn.silu(x)), weight(8, C))))

    mod = make(body, (8, C))
    assert_same_results(mod, drop_dead_rows(mod), (8, C))


def test_first_of_a_batch_of_products(make):
    """The first matrix of a batch needs the first of both factors."""
    mod = make(lambda e, x, y: first_row(e, e(op.matmul(x, y))), (3, 4, C), (3, C, 4))
    assert_same_results(mod, drop_dead_rows(mod), (3, 4, C), (3, C, 4))
