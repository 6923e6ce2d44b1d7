"""Finding and choosing implementations."""

from __future__ import annotations

import numpy as np
import pytest

from tvm_embbert.errors import InputError, UnsupportedOperatorError, UsageError
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor

LOOKUP = IntegerCall(
    "lookup",
    "lookup_0",
    (Tensor("x", ("n", 4), "int8"), np.zeros(256, np.int8)),
    Tensor("lookup_0", ("n", 4), "int8"),
)
USER_FILE = """
from tvm_embbert.strategy.operator import Implementation, Kernel, Operator
from tvm_embbert.strategy.patterns import anything, op
from tvm_embbert.strategy.registry import register_implementation, register_operator


@register_operator
class Negative(Operator):
    name = "negative"
    priority = 50

    def patterns(self):
        x = anything()
        return [(op("negative", x), {"x": x})]

    def inputs(self, match):
        return [match.parts["x"]]

    def quantize(self, match, quantizer):
        raise NotImplementedError

    def reference(self, call, args, rows):
        return -args[0][:rows]


@register_implementation
class PortableNegative(Implementation):
    operator = "negative"
    isa = "portable"

    def kernel(self, call, config):
        return Kernel(None, ())
"""


class Fast(Implementation):
    operator = "lookup"
    isa = "fast"
    priority = 10

    def kernel(self, call: IntegerCall, config) -> Kernel:
        return Kernel(None, ())


class Picky(Fast):
    isa = "picky"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        return "needs a multiple of 16 channels"


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a test registers be gone after it."""
    registry.operators()
    monkeypatch.setattr(registry, "_OPERATORS", dict(registry._OPERATORS))
    monkeypatch.setattr(registry, "_IMPLEMENTATIONS", dict(registry._IMPLEMENTATIONS))


@pytest.fixture
def _two_more() -> None:
    registry.register_implementation(Fast)
    registry.register_implementation(Picky)


def test_operators_come_by_priority_then_name():
    keys = [(-o.priority, o.name) for o in registry.operators()]
    assert keys == sorted(keys)


@pytest.mark.usefixtures("_two_more")
def test_highest_priority_that_the_core_has_wins():
    choice = registry.choose(LOOKUP, ["portable", "fast"])
    assert choice.implementation.name == "lookup.fast"
    assert choice.passed_over["lookup.picky"] == "the core has no picky"
    assert choice.passed_over["lookup.portable"] == "priority 0 is lower"


@pytest.mark.usefixtures("_two_more")
def test_unfit_implementation_is_passed_over_with_its_reason():
    choice = registry.choose(LOOKUP, ["portable", "picky"])
    assert choice.implementation.name == "lookup.portable"
    assert choice.passed_over["lookup.picky"] == "needs a multiple of 16 channels"
    assert choice.passed_over["lookup.fast"] == "the core has no fast"


@pytest.mark.usefixtures("_two_more")
@pytest.mark.parametrize("key", ["lookup", "lookup_0"])
def test_override_by_operator_or_call(key):
    choice = registry.choose(LOOKUP, ["portable", "fast"], {key: "lookup.portable"})
    assert choice.implementation.name == "lookup.portable"
    assert choice.reason == "asked for"
    assert choice.passed_over["lookup.fast"] == "lookup.portable was asked for"


@pytest.mark.usefixtures("_two_more")
def test_override_of_a_call_beats_that_of_its_operator():
    overrides = {"lookup": "lookup.portable", "lookup_0": "lookup.fast"}
    choice = registry.choose(LOOKUP, ["portable", "fast"], overrides)
    assert choice.implementation.name == "lookup.fast"


@pytest.mark.usefixtures("_two_more")
def test_override_that_does_not_fit_says_why():
    with pytest.raises(UnsupportedOperatorError, match="lookup_0") as caught:
        registry.choose(LOOKUP, ["portable", "picky"], {"lookup": "lookup.picky"})
    assert "lookup.picky: needs a multiple of 16 channels" in caught.value.supported


def test_unknown_override_suggests_the_nearest_name():
    with pytest.raises(UsageError, match=r"'lookup\.portabel'") as caught:
        registry.choose(LOOKUP, ["portable"], {"lookup": "lookup.portabel"})
    assert caught.value.hint == "Did you mean lookup.portable?"
    assert caught.value.supported.endswith("lookup.portable")


def test_no_implementation_for_the_core():
    with pytest.raises(UnsupportedOperatorError, match="lookup_0") as caught:
        registry.choose(LOOKUP, ["vector"])
    assert caught.value.where == "lookup on vector"
    assert caught.value.supported.endswith("lookup.portable: the core has no portable")


def test_unknown_operator_lists_the_known_ones():
    with pytest.raises(UnsupportedOperatorError, match="'lookpu'") as caught:
        registry.operator("lookpu")
    assert "lookup" in caught.value.supported.split(", ")


def test_file_of_the_users_own(tmp_path):
    path = tmp_path / "negative.py"
    path.write_text(USER_FILE)
    registry.load_file(path)
    assert registry.operators()[0].name == "negative"
    call = IntegerCall("negative", "negative_0", LOOKUP.args[:1], LOOKUP.output)
    assert registry.choose(call, ["portable"]).implementation.name == "negative.portable"
    x = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(registry.operator("negative").reference(call, [x], 2), -x[:2])


@pytest.mark.parametrize("name", ["missing.py", "text.txt"])
def test_file_that_cannot_be_loaded(tmp_path, name):
    (tmp_path / "text.txt").write_text("no Python")
    with pytest.raises(InputError, match="strategy file") as caught:
        registry.load_file(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
