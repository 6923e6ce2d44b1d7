"""``tvm-embbert monitor``: the image that is flashed once and loads others into RAM."""

from __future__ import annotations

import argparse
from pathlib import Path

from tvm_embbert.commands.board import add_baud
from tvm_embbert.commands.output import console, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--target",
        required=True,
        metavar="NAME|FILE.toml",
        help="the device, with load_ram in the [serial] table of its file",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--flash",
        action="store_true",
        help="write it to the board with the command in the device's file",
    )
    parser.add_argument(
        "--port", default="", metavar="PORT", help="what {port} stands for in that command"
    )
    add_baud(parser)


def run(options: argparse.Namespace) -> int:
    """Build the monitor, and flash it if asked to."""
    from tvm_embbert.measure import Flasher, build_monitor
    from tvm_embbert.measure.wiring import require_flash, require_serial, with_baud
    from tvm_embbert.target_file import load_target

    target = with_baud(load_target(options.target), options.baud)
    command = require_flash(target) if options.flash else ""
    elf = build_monitor(target, options.out)
    if options.flash:
        Flasher(command, options.port or require_serial(target).port).flash(elf)
    if options.json:
        print_json({"elf": str(elf), "flashed": options.flash})
    else:
        console().print(f"{elf}{', flashed' if options.flash else ''}", soft_wrap=True)
    return 0
