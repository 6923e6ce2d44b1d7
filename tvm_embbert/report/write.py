"""Both forms of the report on disk: ``report.json``, and ``report.html`` made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvm_embbert.folder import write_text
from tvm_embbert.report.html import render_html


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``report.json`` and ``report.html`` into a compiled model's folder."""
    page = render_html(report)
    write_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "report.html", page)
