"""What the subcommands share: where text and JSON go."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console


def console() -> Console:
    """Return the console for tables; as wide as needed where output is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 130)


def note() -> Console:
    """Return the console for progress, on standard error."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def progress_wanted(as_json: bool) -> bool:
    """Return whether progress bars are of use."""
    return not as_json and sys.stderr.isatty()
