"""``report.html``: the report as one page that needs nothing else, for a browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tvm_embbert.report.memory_map import COLOURS, MemoryMap, draw_map
from tvm_embbert.report.summary import (
    MEANING,
    Buffer,
    Peak,
    Report,
    Step,
    by_operator,
    constants_by_operator,
    in_pool,
    in_use,
    instructions_by_operator,
    peak_of,
    pool_bound,
    steps_of,
)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Pool:
    """A pool of the report with what the page shows of it; sizes are bytes."""

    id: str
    fields: Mapping[str, Any]
    bound: int | None
    buffers: Sequence[Buffer]
    map: MemoryMap
    peak: Peak
    operators: Mapping[str, int]


@dataclass(frozen=True)
class Row:
    """A step with the bytes in use in all pools."""

    step: Step
    in_use: int


def render_html(report: Mapping[str, Any]) -> str:
    """Return the page of a report.

    Parameters
    ----------
    report : mapping
        The contents of ``report.json``. What an older one lacks (steps, loops, bounds of pools,
        the stack's, the planner's) is left out of the page.

    Returns
    -------
    str
        HTML5 with its style and script inside. It asks for nothing over a network, reads without
        the script, and is the same for the same report. All names are escaped.
    """
    steps, pools = steps_of(report), report["memory"]["pools"]
    colours = _colours(report, steps)
    return _template().render(
        report=report,
        memory=report["memory"],
        steps=[Row(step, _bytes_in_use(report, step.index)) for step in steps],
        colours=colours,
        last_colour=COLOURS,
        pools=[_pool(report, number, steps, colours) for number in range(len(pools))],
        constants=constants_by_operator(report),
        instructions=instructions_by_operator(report).most_common(),
        meaning=MEANING,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda n: "-" if n is None else f"{n:,}"
    environment.filters["px"] = lambda v: f"{v:.3f}".rstrip("0").rstrip(".")
    environment.filters["percent"] = _percent
    return environment.get_template("report.html")


def _percent(part: int | None, whole: int | None) -> str:
    return f"{100 * (part or 0) / max(1, whole or 0):.1f}"


def _pool(report: Report, number: int, steps: Sequence[Step], colours: Mapping[str, int]) -> Pool:
    fields = report["memory"]["pools"][number]
    buffers, bound = in_pool(report, fields["name"]), pool_bound(report, fields)
    peak = peak_of(buffers, steps)
    return Pool(
        id=f"pool-{number}",
        fields=fields,
        bound=bound,
        buffers=buffers,
        map=draw_map(report, fields, bound, buffers, steps, colours),
        peak=peak,
        operators=dict(by_operator(peak.buffers, steps).most_common()),
    )


def _bytes_in_use(report: Report, step: int) -> int:
    """Return the bytes that all pools together hold in a step."""
    pools = (in_pool(report, pool["name"]) for pool in report["memory"]["pools"])
    return sum(added for buffers in pools for _, added in in_use(buffers, step))


def _colours(report: Report, steps: Sequence[Step]) -> dict[str, int]:
    """Return a colour for each operator; those that hold the most bytes get one of their own."""
    sizes: Counter[str] = Counter({step.operator: 0 for step in steps})
    for buffer in report["memory"]["buffers"]:
        sizes[steps[buffer["first_use"]].operator] += buffer["size"]
    names = (name for name, _ in sizes.most_common())
    return {name: min(number, COLOURS) for number, name in enumerate(names)}
