"""Finding planning algorithms by name, and those of third parties."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from random_programs import LENGTH, offsets_of, program

from tvm_embbert import extensions
from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.memory.plan import plan_memory
from tvm_embbert.memory.planners import registry
from tvm_embbert.memory.problem import Placement

OWN = ["exact", "greedy_by_conflicts", "greedy_by_size", "hill_climb"]
CHAIN = [("a", ["ids"], []), ("b", ["a"], []), ("c", ["b"], []), ("logits", ["c"], [])]
USER_FILE = '''
from tvm_embbert.memory.planners.registry import register_planner
from tvm_embbert.memory.problem import Placement


@register_planner("{name}")
def stack(problem):
    """Give each buffer a place of its own."""
    offsets, end = {{}}, 0
    for name, size in sorted(problem.sizes.items()):
        offsets[name] = end
        end += -(-size // problem.alignment) * problem.alignment
    return Placement(offsets, problem.lower_bound)
'''


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a test registers be gone after it."""
    registry.planner_names()
    monkeypatch.setattr(registry, "_PLANNERS", dict(registry._PLANNERS))


def test_own_algorithms_are_found():
    assert registry.planner_names() == OWN


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="'hill_clmb'") as caught:
        registry.planner("hill_clmb")
    assert caught.value.supported == ", ".join(OWN)
    assert caught.value.hint == "Did you mean hill_climb?"


def test_unknown_name_that_is_near_none():
    with pytest.raises(UsageError) as caught:
        plan_memory(program(CHAIN, {}), LENGTH, "qqq")
    assert caught.value.hint == ""


def test_file_of_the_users_own(tmp_path):
    path = tmp_path / "stack.py"
    path.write_text(USER_FILE.format(name="stack"))
    registry.load_planner_file(path)
    assert registry.planner_names() == sorted([*OWN, "stack"])
    plan = plan_memory(program(CHAIN, {"a": 2, "b": 2, "c": 2}), LENGTH, "stack")
    assert offsets_of(plan) == {"a": 0, "b": 32, "c": 64}
    assert (plan.planner, plan.arena, plan.proved_bound, plan.optimal) == ("stack", 96, 64, False)


def test_users_algorithm_takes_the_place_of_one_of_the_same_name(tmp_path):
    path = tmp_path / "stack.py"
    path.write_text(USER_FILE.format(name="hill_climb"))
    registry.load_planner_file(path)
    assert registry.planner_names() == OWN
    assert plan_memory(program(CHAIN, {}), LENGTH).arena == 48


@pytest.mark.parametrize("name", ["missing.py", "text.txt"])
def test_file_that_cannot_be_loaded(tmp_path, name):
    (tmp_path / "text.txt").write_text("no Python")
    with pytest.raises(InputError, match="planner file") as caught:
        registry.load_planner_file(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


def test_entry_point_of_another_package(tmp_path, monkeypatch):
    (tmp_path / "vendor_planner.py").write_text(USER_FILE.format(name="vendor"))
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("vendor", "vendor_planner", registry.ENTRY_POINTS)
    groups = {registry.ENTRY_POINTS: (entry,)}
    monkeypatch.setattr(extensions, "entry_points", lambda group: groups.get(group, ()))
    registry._load_all.cache_clear()
    assert registry.planner_names() == sorted([*OWN, "vendor"])
    assert plan_memory(program(CHAIN, {}), LENGTH, "vendor").planner == "vendor"


def test_broken_entry_point_is_named(monkeypatch):
    entry = EntryPoint("vendor", "no_such_module", registry.ENTRY_POINTS)
    monkeypatch.setattr(extensions, "entry_points", lambda group: (entry,))
    registry._load_all.cache_clear()
    with pytest.raises(InputError, match="'vendor'") as caught:
        registry.planner_names()
    assert caught.value.where == "tvm_embbert.planners: no_such_module"
    registry._load_all.cache_clear()


def test_plan_names_its_algorithm():
    made = program(CHAIN, {"a": 2, "b": 2, "c": 2})
    assert plan_memory(made, LENGTH).planner == "hill_climb"

    def mine(problem):
        return Placement(registry.planner("exact")(problem).offsets, 0)

    plan = plan_memory(made, LENGTH, mine)
    assert plan.planner == "mine"
    assert plan.proved_bound == plan.lower_bound == plan.arena == 64
    assert plan.optimal
