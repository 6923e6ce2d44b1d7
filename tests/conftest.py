"""What holds for all tests: their order, and no silent skipping for want of a tool."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import pytest

TOOLS: Mapping[str, Sequence[str]] = {
    "emulator": (
        "arm-none-eabi-gcc",
        "qemu-system-arm",
        "riscv64-unknown-elf-gcc",
        "qemu-system-riscv32",
        "cmake",
        "ninja",
    ),
}
"""Programs that the tests with a mark need."""

SLOWNESS: Mapping[str, int] = {"host": 1, "emulator": 2, "board": 3}
"""Marks by the time that their tests take; tests without a mark are the quickest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests last, those in the emulator behind those on this machine."""
    # Sorting is stable, so within a group the files keep their order.
    items.sort(key=_slowness)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose tools are missing: skipped, nobody would miss it."""
    for mark in item.iter_markers():
        missing = [tool for tool in TOOLS.get(mark.name, ()) if shutil.which(tool) is None]
        if missing:
            pytest.fail(
                f"{' and '.join(missing)} not found, needed by tests marked {mark.name!r}. "
                f'Run "make setup" to install it, or pytest with -m "not {mark.name}".',
                pytrace=False,
            )


def _slowness(item: pytest.Item) -> int:
    return max(SLOWNESS.get(name, 0) for name in ("", *(mark.name for mark in item.iter_markers())))
