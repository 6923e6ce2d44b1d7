"""Figures that are worked out from a report: steps, bytes in use, bytes of an operator.

A report may be older than this code, so fields that came later are optional here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Report = Mapping[str, Any]
Buffer = Mapping[str, Any]
MEANING = {
    "arena": "activations and scratch",
    "stack": "the most that can be in use at once",
    "static": "everything else that is written",
    "weights": "constants of the model",
    "code": "kernels and entry points",
    "tokenizer": "not on the device: text is tokenised by the caller",
    "harness": "start-up, runner and C library",
}
"""What the parts of RAM and flash are."""


@dataclass(frozen=True)
class Step:
    """A step of the model: its place in order, and what is known of it."""

    index: int
    name: str
    operator: str
    rows: str = ""
    implementation: str = ""
    instructions: int | None = None


@dataclass(frozen=True)
class Peak:
    """The step that takes the most of a pool; each buffer with the bytes that it adds."""

    step: int
    buffers: Sequence[tuple[Buffer, int]]

    @property
    def size(self) -> int:
        """Return the bytes in use, those that two buffers share counted once."""
        return sum(added for _, added in self.buffers)


def steps_of(report: Report) -> list[Step]:
    """Return the steps in order; those that only a buffer's life tells of have no name."""
    chosen = report.get("strategies", [])
    rows = report.get("steps") or [{**row, "name": row["step"]} for row in chosen]
    counts = {row["name"]: row["instructions"] for row in report["instructions"]["per_operator"]}
    kernels = {row["step"]: row["implementation"] for row in chosen}
    steps = [
        Step(
            index,
            row["name"],
            row["operator"],
            str(row.get("rows", "")),
            kernels.get(row["name"], ""),
            counts.get(row["name"]),
        )
        for index, row in enumerate(rows)
    ]
    count = max((b["last_use"] + 1 for b in report["memory"]["buffers"]), default=0)
    return steps + [Step(i, "", "other") for i in range(len(steps), count)]


def pool_bound(report: Report, pool: Mapping[str, Any]) -> int | None:
    """Return the bytes that no plan of a pool can do without, where they are known."""
    memory = report["memory"]
    alone = memory.get("arena_lower_bound") if len(memory["pools"]) == 1 else None
    bound: int | None = pool.get("lower_bound") or alone
    return bound


def in_pool(report: Report, pool: str) -> list[Buffer]:
    """Return the buffers of a pool."""
    return [b for b in report["memory"]["buffers"] if b["pool"] == pool]


def in_use(buffers: Sequence[Buffer], step: int) -> list[tuple[Buffer, int]]:
    """Return a pool's buffers in use in a step, each with the bytes that it adds.

    Where two buffers share bytes, the later one has them: it took them over.
    """
    live = [b for b in buffers if b["first_use"] <= step <= b["last_use"]]
    live.sort(key=lambda b: (-b["first_use"], b["name"]))
    ends = {b["offset"] for b in live} | {b["offset"] + b["size"] for b in live}
    added: Counter[str] = Counter()
    for start, end in pairwise(sorted(ends)):
        over = (b["name"] for b in live if b["offset"] <= start < b["offset"] + b["size"])
        added[next(over, "")] += end - start
    return [(b, added[b["name"]]) for b in live]


def peak_of(buffers: Sequence[Buffer], steps: Sequence[Step]) -> Peak:
    """Return the step that takes the most of a pool; the first such, its largest buffer first."""
    peaks = [Peak(step.index, in_use(buffers, step.index)) for step in steps]
    worst = max(peaks, key=lambda peak: peak.size, default=Peak(0, []))
    return Peak(worst.step, sorted(worst.buffers, key=lambda pair: (-pair[1], pair[0]["name"])))


def by_operator(buffers: Sequence[tuple[Buffer, int]], steps: Sequence[Step]) -> Counter[str]:
    """Return the bytes of each operator's results and scratch: of the step that writes first."""
    sizes: Counter[str] = Counter()
    for buffer, added in buffers:
        sizes[steps[buffer["first_use"]].operator] += added
    return sizes


def instructions_by_operator(report: Report) -> Counter[str]:
    """Return the instructions of each operator, all its steps together."""
    counts: Counter[str] = Counter()
    for step in report["instructions"]["per_operator"]:
        counts[step["operator"]] += step["instructions"]
    return counts


def constants_by_operator(report: Report) -> dict[str, list[Mapping[str, Any]]]:
    """Return the constants of each operator; the largest operator and constant first."""
    operators = {step.name: step.operator for step in steps_of(report)}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for constant in sorted(report["memory"]["constants"], key=lambda c: (-c["size"], c["name"])):
        groups.setdefault(_reader(constant["name"], operators), []).append(constant)
    return dict(sorted(groups.items(), key=lambda group: -sum(c["size"] for c in group[1])))


def _reader(constant: str, operators: Mapping[str, str]) -> str:
    """Return the operator of the step that a constant is named after."""
    steps = [name for name in operators if constant.startswith(f"{name}_")]
    return operators[max(steps, key=len)] if steps else "other"
