"""The command ``tvm-embbert``.

Exit codes: 0 success; 1 unexpected failure; 2 wrong arguments; 3 bad input (model, target, data);
4 over the device's budget; 5 a tool is missing or failed; 6 the device failed; 7 the image differs
from the integer reference; 128 and the signal's number (130 for Ctrl-C) if one ended it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from tvm_embbert import __version__
from tvm_embbert.errors import EmbBertError
from tvm_embbert.interrupt import Interruptible

COMMANDS = {
    "targets": "list the devices",
    "compile": "compile a model for a device",
    "run": "classify text on the target's runner",
    "validate": "compare float model, integer reference and image on labelled text",
    "tune": "search the kernels' choices by measuring on the device, and write records",
    "project": "make projects for boards of a compiled model; build, flash and run them",
    "monitor": "build what loads images into a board's RAM, and flash it",
    "demo": "compile the shipped model, run it on the emulated board and show it all",
}
_EXIT_CODES = (__doc__ or "").partition("\n\n")[2].replace("\n", " ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", category=UserWarning, module="tvm_embbert")
    warnings.formatwarning = _format_warning
    with Interruptible() as interruptible:
        code = _run(options, interruptible)
    if interruptible.signal:
        print("interrupted", file=sys.stderr)
        return 128 + interruptible.signal
    return code


def _run(options: argparse.Namespace, interruptible: Interruptible) -> int:
    """Run the command; errors that follow from a signal are not worth a word."""
    try:
        command = import_module(f"tvm_embbert.commands.{options.command}")
        return int(command.run(options))
    except EmbBertError as error:
        if not interruptible.signal:
            _show_error(error, options.json)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tvm-embbert",
        description="EmbBERT-Q, through TVM, on microcontrollers.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"tvm-embbert {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        described = summary[0].upper() + summary[1:] + "."
        sub = subparsers.add_parser(name, help=summary, description=described, epilog=_EXIT_CODES)
        sub.add_argument("--json", action="store_true", help="print JSON, for programs to read")
        import_module(f"tvm_embbert.commands.{name}").add_arguments(sub)
    return parser


def _show_error(error: EmbBertError, as_json: bool) -> None:
    if as_json:
        print(json.dumps(error.as_dict(), indent=2))
    else:
        print(f"error: {error}", file=sys.stderr)


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Leave out what only programmers want to know."""
    return f"warning: {message}\n"


if __name__ == "__main__":
    sys.exit(main())
