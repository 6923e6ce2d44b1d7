"""Arguments for a board on a serial line, and the session that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tvm_embbert.commands.output import note

if TYPE_CHECKING:
    from tvm_embbert.compiled import CompiledModel
    from tvm_embbert.measure import Session


def add_board(parser: argparse.ArgumentParser) -> None:
    """Declare the serial port and its speed."""
    parser.add_argument(
        "--port",
        nargs="?",
        const="",
        metavar="PORT",
        help="ask a board at this serial port, such as /dev/ttyACM0 (without a name: the port in "
        "the device's file), and not the emulator",
    )
    add_baud(parser)


def add_baud(parser: argparse.ArgumentParser) -> None:
    """Declare the speed of the serial line."""
    parser.add_argument(
        "--baud", type=int, metavar="N", help="bits in a second (those of the device's file)"
    )


@contextmanager
def chosen_session(compiled: CompiledModel, options: argparse.Namespace) -> Iterator[Session]:
    """Yield a session with the board, where a port is asked for, or with the target's runner."""
    if options.port is None:
        with compiled.session(options.timeout) as session:
            yield session
        return
    with compiled.board_session(options.port, options.baud, options.timeout) as board:
        if board.flashes:
            note().print("The board was flashed once.")
        yield board
