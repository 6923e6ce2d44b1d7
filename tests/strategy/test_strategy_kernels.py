"""Every portable kernel against its operator's NumPy reference, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_bench import Case, KernelBench
from random_cases import GENERATORS, forms_of

from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import IntegerCall, Tensor

pytestmark = pytest.mark.host

Forms = dict[str, list[tuple[str, list[Case]]]]


@pytest.fixture(scope="module")
def bench() -> KernelBench:
    return KernelBench()


@pytest.fixture(scope="module")
def forms(bench: KernelBench, tmp_path_factory: pytest.TempPathFactory) -> Forms:
    """Return for each operator its kernels' names and their cases, compiled."""
    made = {name: [(bench.add(cases), cases) for cases in forms_of(name)] for name in GENERATORS}
    bench.build(tmp_path_factory.mktemp("kernels"))
    return made


def test_every_operator_with_a_kernel_is_covered():
    with_kernels = {o.name for o in registry.operators() if registry.implementations(o.name)}
    assert with_kernels == set(GENERATORS)


def test_there_are_enough_cases(forms):
    assert sum(len(cases) for found in forms.values() for _, cases in found) >= 2000


@pytest.mark.parametrize("operator", GENERATORS)
def test_kernel_gives_the_bytes_of_the_reference(bench, forms, operator):
    for name, cases in forms[operator]:
        for case in cases:
            expected, result = case.expected(), bench.run(name, case)
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(result, expected, case.label)


@pytest.mark.parametrize("operator", [o for o in GENERATORS if registry.operator(o).row_local])
def test_some_rows_alone_are_those_of_the_whole(bench, forms, operator):
    rng = np.random.default_rng(12)
    inner = 0
    for name, cases in forms[operator]:
        for case in cases:
            first = int(rng.integers(0, case.rows))
            rows = int(rng.integers(1, case.rows - first + 1))
            result = bench.run_rows(name, case, first, rows)
            expected = case.expected()[first : first + rows]
            np.testing.assert_array_equal(result, expected, f"{case.label}: {first}, {rows}")
            inner += first > 0
    assert inner > 20


@pytest.mark.parametrize("operator", ["equal", "not_equal", "logical_and", "logical_or"])
def test_mask_against_a_constant(operator, tmp_path):
    """A bool constant reaches the call as the integer 0 or 1."""
    x = Tensor("x", ("n",), "bool")
    values = np.array([True, False, True])
    call = IntegerCall("elementwise", "call", (operator, x, 0), Tensor("y", ("n",), "bool"))
    case = Case(operator, call, (operator, values, 0), {"n": len(values)})
    bench = KernelBench()
    name = bench.add([case])
    bench.build(tmp_path)
    np.testing.assert_array_equal(bench.run(name, case), case.expected())


def test_lookup_in_place_gives_the_same(bench, forms):
    for name, cases in forms["lookup"]:
        for case in cases:
            result = bench.run(name, case, in_place=True)
            np.testing.assert_array_equal(result, case.expected(), case.label)


@pytest.mark.parametrize("operator", ["linear", "causal_convolution", "attention", "rms_norm"])
def test_cases_do_not_just_saturate(forms, operator):
    """Guard against random cases that no longer tell right from wrong."""
    results = [case.expected() for _, cases in forms[operator] for case in cases]
    assert np.mean([_share_inside(result) for result in results]) > 0.25


def _share_inside(result: np.ndarray) -> float:
    limits = np.iinfo(result.dtype)
    return float(((result > limits.min) & (result < limits.max) & (result != 0)).mean())
