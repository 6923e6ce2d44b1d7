"""From integer calls to a program: what is shared, and what is computed in place."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from small_module import HIDDEN, LABELS, NAME, VOCABULARY, library_of, module_of

from tvm_embbert.measure import ModelSources, build_library, open_session
from tvm_embbert.memory.plan import plan_memory
from tvm_embbert.program.build import build_program


def gathered(e):
    return e.call("gather", [e.ids, e.weights(VOCABULARY, HIDDEN)], (e.n, HIDDEN), "int8")


def looked_up(e, x):
    return e.call("lookup", [x, e.weights(256)], (e.n, HIDDEN), "int8")


def classified(e, *inputs):
    return e.linear(list(inputs), 1, len(LABELS), "int16")


def chain(e):
    return classified(e, looked_up(e, looked_up(e, gathered(e))))


def source_is_read_later(e):
    x = gathered(e)
    y = looked_up(e, x)
    return classified(e, y, x)


def source_was_read_before(e):
    x = gathered(e)
    before = e.linear([x], e.n, HIDDEN, "int8")
    return classified(e, looked_up(e, x), before)


def two_from_one_source(e):
    x = gathered(e)
    first = looked_up(e, x)
    return classified(e, first, looked_up(e, x))


IN_PLACE = {
    chain: {"lookup_2": "gather_1", "lookup_3": "lookup_2"},
    source_is_read_later: {},
    source_was_read_before: {"lookup_3": "gather_1"},
    two_from_one_source: {"lookup_3": "gather_1"},
}
BODIES = pytest.mark.parametrize("body", IN_PLACE, ids=[b.__name__ for b in IN_PLACE])


@BODIES
def test_result_is_in_place_where_nobody_else_reads_the_source(body):
    program = build_program(module_of(body), ["portable"])
    assert program.in_place == IN_PLACE[body]


@pytest.mark.host
@BODIES
def test_results_in_place_are_right(body, tmp_path):
    module = module_of(body)
    paths = library_of(module).write(tmp_path)
    sources = tuple(path for path in paths if path.suffix == ".c")
    built = build_library(ModelSources(NAME, sources, tmp_path / "include"), tmp_path / "out")
    rng = np.random.default_rng(6)
    with open_session(built) as session:
        for length in range(1, 9):
            ids = rng.integers(1, VOCABULARY, length).tolist()
            answer = session.infer(ids)
            assert answer.code == 0
            np.testing.assert_array_equal(answer.logits, module.run(ids))


def test_in_place_saves_memory():
    sizes = [plan_memory(build_program(module_of(b), ["portable"]), 8).arena for b in IN_PLACE]
    assert sizes[0] < sizes[1]


def test_kernels_and_constants_are_shared(module):
    program = build_program(module, ["portable"])
    used = Counter(step.kernel for step in program.steps)
    assert set(used) == set(program.kernels)
    assert len(set(program.kernels.values())) == len(program.kernels)
    assert used["elementwise_kernel_0"] == 2  # == [PAD] and == [SEP]
    contents = [(v.dtype, v.shape, v.tobytes()) for v in program.constants.values()]
    assert len(set(contents)) == len(contents)


def test_steps_follow_the_calls(module):
    program = build_program(module, ["portable"])
    assert [step.name for step in program.steps] == [call.name for call in module.calls]
    assert (program.input, program.result) == (module.input.name, module.result.name)
    assert program.outputs == len(LABELS)


def test_override_reaches_its_step(module):
    choices = [s.choice for s in build_program(module, ["portable"]).steps]
    assert {c.implementation.isa for c in choices} == {"portable"}
    overridden = build_program(module, ["portable"], {"lookup": "lookup.portable"})
    reasons = {s.operator: s.choice.reason for s in overridden.steps}
    assert reasons["lookup"] == "asked for"
    assert reasons["linear"].startswith("highest priority")
