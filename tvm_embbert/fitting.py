"""Link a model; where memory is too small, plan again for less, and say what that cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm_embbert.compiled import LIBRARY, library_sources
from tvm_embbert.lowering import Lowered
from tvm_embbert.measure import Image, build_image, build_library
from tvm_embbert.memory.budget import Needs, Replan, check_flash, check_ram, exceeds
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.report.build_report import build_report

ATTEMPTS = 3
"""Plans that are linked at most: the stack and the code change a little with the loops."""

Count = Callable[[Image, Lowered], int]


@dataclass(frozen=True, eq=False)
class Linked:
    """A lowered model as an image, or on the host as a library, and its report."""

    lowered: Lowered
    built: Image | Path
    report: dict[str, Any]

    @property
    def needs(self) -> Needs:
        """Return what is needed beside the arena."""
        ram, flash = self.report["memory"]["ram"], self.report["memory"]["flash"]
        system = ram["total"] - ram["arena"] - ram["weights"]
        return Needs(system, flash["total"], ram["weights"])

    @property
    def fits(self) -> bool:
        """Return whether the RAM is enough."""
        return not exceeds(self.lowered.plan, self.needs, self.lowered.target)

    def count(self, counter: Count | None) -> int | None:
        """Return the instructions of an inference, or None where they cannot be counted."""
        if counter is None or not isinstance(self.built, Image):
            return None
        return counter(self.built, self.lowered)


def link_fitting(lowered: Lowered, work: Path, count: Count | None, debug: bool = False) -> Linked:
    """Link a model so that it fits the device.

    Parameters
    ----------
    lowered : Lowered
        With the plan that is preferred.
    work : Path
        Folder for library and image.
    count : callable, optional
        Counts an image's instructions, to tell what a smaller plan costs.
    debug : bool
        Whether the image is to check itself.

    Raises
    ------
    BudgetError
        Nothing that was tried fits.
    """
    preferred = linked = _link(lowered, work, debug)
    check_flash(lowered.program, linked.needs, lowered.target)
    if linked.fits:
        return linked
    before = linked.count(count)
    for _ in range(ATTEMPTS):
        limits = linked.needs.limits(lowered.target)
        linked = _link(lowered.within(limits), work, debug)
        if linked.fits:
            break
    check_ram(linked.lowered.plan, linked.needs, lowered.target, _planner(lowered))
    concession = _concession(preferred, linked, before, linked.count(count))
    linked.report["concessions"] = [concession]
    return linked


def _link(lowered: Lowered, work: Path, debug: bool) -> Linked:
    lowered.library.write(work / LIBRARY)
    sources = library_sources(work, lowered.names)
    built: Image | Path
    if lowered.target.core.toolchain == "host":
        built = build_library(sources, work / "host", debug)
    else:
        built = build_image(sources, lowered.target, work / "image", debug=debug)
    return Linked(lowered, built, build_report(lowered, built, debug))


def _planner(lowered: Lowered) -> Replan:
    def replan(length: int, needs: Needs) -> MemoryPlan:
        return lowered.fits(needs.limits(lowered.target), length)

    return replan


def _concession(
    preferred: Linked, linked: Linked, before: int | None, after: int | None
) -> dict[str, Any]:
    """Return what was given up: measured where both images were, else as it was estimated."""
    measured = before is not None and after is not None
    estimate = linked.lowered.estimate - preferred.lowered.estimate
    return {
        "what": _what(preferred.lowered, linked.lowered),
        "ram_saved": preferred.lowered.plan.arena - linked.lowered.plan.arena,
        "instructions_added": (after or 0) - (before or 0) if measured else estimate,
        "measured": measured,
    }


def _what(preferred: Lowered, chosen: Lowered) -> str:
    """Return the differences between two plans in words."""
    old, new = _tiles(preferred), _tiles(chosen)
    parts = [f"tiles of {new or 'all'} rows instead of {old or 'all'}"] if old != new else []
    if chosen.schedules.scratch is not None:
        parts.append(f"tuned kernels with at most {chosen.schedules.scratch:,} bytes of scratch")
    moved = {p: _held(chosen, p) - _held(preferred, p) for p in _slow(chosen)}
    parts += [f"{size:,} bytes moved to {pool}" for pool, size in moved.items() if size > 0]
    return "; ".join(parts) or "loops over other steps"


def _tiles(lowered: Lowered) -> str:
    return ", ".join(str(loop.rows) for loop in lowered.program.loops)


def _slow(lowered: Lowered) -> list[str]:
    return [pool.name for pool in lowered.plan.pools[1:]]


def _held(lowered: Lowered, name: str) -> int:
    sizes: Mapping[str, int] = {pool.name: pool.size for pool in lowered.plan.pools}
    return sizes.get(name, 0)
