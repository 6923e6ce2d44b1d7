"""Arguments that several subcommands take."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "K": 1024, "M": 1024**2}


def size(text: str) -> int:
    """Parse bytes, with KiB or MiB behind the number if wanted."""
    match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text.strip())
    if not match or match[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write bytes, KiB or MiB")
    return int(match[1]) * _UNITS[match[2]]


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below `least`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            told = f"{text!r} is no whole number of at least {least}"
            raise argparse.ArgumentTypeError(told)
        return int(text)

    return number


def length(text: str) -> int | str:
    """Parse a number of tokens, or the word for as many as fit."""
    if text != "fit" and not re.fullmatch(r"[+-]?\d+", text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of tokens nor 'fit'")
    return text if text == "fit" else int(text)


def override(text: str) -> tuple[str, str]:
    """Parse ``OPERATOR=IMPLEMENTATION``."""
    operator, equals, implementation = text.partition("=")
    if not (operator and equals and implementation):
        raise argparse.ArgumentTypeError(f"{text!r} is not OPERATOR=IMPLEMENTATION")
    return operator, implementation


def add_device_arguments(parser: argparse.ArgumentParser, target: str | None = None) -> None:
    """Declare the device and its budget; the target is required where there is no default."""
    parser.add_argument(
        "--target",
        required=target is None,
        default=target,
        metavar="NAME|FILE.toml",
        help="the device" + (f" (default {target})" if target else ""),
    )
    parser.add_argument(
        "--max-length",
        type=length,
        metavar="N|fit",
        help="longest input in tokens (the model's own), or the longest that there is RAM for",
    )
    parser.add_argument(
        "--ram", type=size, metavar="BYTES", help="RAM budget in the place of the device's"
    )
    parser.add_argument(
        "--flash", type=size, metavar="BYTES", help="flash budget in the place of the device's"
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what decides the model's arithmetic and kernels."""
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="sentences to set scales on, one a line, .gz too (calibration.txt of the model)",
    )
    add_strategy(parser)
    parser.add_argument(
        "--use",
        type=override,
        action="append",
        default=[],
        metavar="OPERATOR=IMPLEMENTATION",
        help="choose a kernel by hand, for an operator or one step (repeatable)",
    )


def add_strategy(parser: argparse.ArgumentParser) -> None:
    """Declare the user's own operators."""
    parser.add_argument(
        "--strategy",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.py",
        help="load operators or kernels of your own (repeatable)",
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Declare the time-out of the device."""
    parser.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="give up when the device does not answer a request within this time (120)",
    )
