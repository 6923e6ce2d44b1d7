"""What a template's files and commands can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvm_embbert import __version__
from tvm_embbert.memory.plan import ALIGNMENT
from tvm_embbert.project.archive import SOURCE, ModelArchive
from tvm_embbert.project.board import board_values
from tvm_embbert.project.render import COMMON, ENDING, HARNESS
from tvm_embbert.project.template import Template

STACK_MARGIN = 1024
"""Bytes of stack for what runs around the model, beside the bound found for the harness."""

_UNBOUNDED = 4096
"""Bytes of stack where no bound is known."""


def template_values(
    archive: ModelArchive, options: Mapping[str, Any], template: Template
) -> dict[str, Any]:
    """Return the values by their names; docs/projects.md tells what each is."""
    report, names = archive.report, archive.names
    private = sorted(archive.below(SOURCE))
    stack = stack_size(report)
    return {
        "name": names.model,
        "prefix": names.prefix,
        "macro": names.macro,
        "labels": report["model"]["labels"],
        "max_length": report["max_length"],
        "outputs": len(report["model"]["labels"]),
        "vectors": archive.vectors,
        "pools": [{**pool, "alignment": ALIGNMENT} for pool in report["memory"]["pools"]],
        "target": archive.target_fields,
        "report": report,
        "options": dict(options),
        "version": __version__,
        "template": template.name,
        "sources": [name for name in private if name.endswith(".c")],
        "headers": [name for name in private if name.endswith(".h")],
        "image_number": f"{archive.number:#010x}",
        "app_sources": _app_sources(),
        "harness_sources": list(HARNESS),
        "stack_size": stack,
        "board": board_values(archive.target, stack),
    }


def _app_sources() -> list[str]:
    names = (path.name.removesuffix(ENDING) for path in (COMMON / "app").iterdir())
    return sorted(name for name in names if name.endswith(".c"))


def stack_size(report: Mapping[str, Any]) -> int:
    """Return the bytes of stack that a program around the model should have."""
    stack = report["memory"]["stack"]
    bound = stack["bound"] if stack else _UNBOUNDED
    return -(-(bound + STACK_MARGIN) // ALIGNMENT) * ALIGNMENT
