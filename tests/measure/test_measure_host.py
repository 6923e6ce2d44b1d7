"""Models as shared libraries on this machine."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_embbert.errors import DeviceError, ToolchainError, UsageError
from tvm_embbert.measure import HostSession, ModelSources, build_library, open_session

pytestmark = pytest.mark.host

WEIGHTS = np.array([10, 20, 30, 40, 50, 60, 70], np.int16)


def test_answers(library):
    with open_session(library) as session:
        answer = session.infer([1, 2, 3])
        assert (session.info.max_length, session.info.num_outputs) == (256, 7)
    assert (answer.code, answer.instructions) == (0, None)
    np.testing.assert_array_equal(answer.logits, WEIGHTS + 6)


def test_wrong_lengths_and_arena_reach_the_model(library):
    with HostSession(library) as session:
        assert [session.infer(ids).code for ids in ([], [1] * 300)] == [-1, -1]
        assert session.infer([1], length=-3).code == -1
        assert session.infer([1], arena_size=131071).code == -2
        assert session.infer([1] * 256).code == 0


@pytest.mark.parametrize("ids", [[0.5], [2**31], [[1, 2]], ["a"]])
def test_ids_that_are_none(library, ids):
    with HostSession(library) as session, pytest.raises(UsageError, match="whole numbers"):
        session.infer(ids)


def test_closed_session(library):
    session = HostSession(library)
    session.close()
    session.close()
    with pytest.raises(DeviceError, match="closed"):
        session.infer([1])


@pytest.mark.usefixtures("empty_path")
def test_missing_compiler(model, tmp_path):
    with pytest.raises(ToolchainError, match="not installed") as caught:
        build_library(model, tmp_path)
    assert "C compiler" in caught.value.hint


def test_warnings_are_errors(model, tmp_path):
    bad = tmp_path / "bad.c"
    bad.write_text("static int unused;\n")
    with pytest.raises(ToolchainError, match=r"(?s)compile.*unused"):
        build_library(ModelSources("fake", (bad,), model.include), tmp_path)


def test_file_that_is_no_library(tmp_path):
    path = tmp_path / "nonsense.so"
    path.write_text("nonsense")
    with pytest.raises(ToolchainError, match="could not be loaded"):
        HostSession(path)
