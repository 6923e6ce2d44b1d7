"""What a server of a farm does: build candidates, run them on its emulator, and answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvm_embbert.errors import DeviceError, EmbBertError, ToolchainError
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.qemu import command_line
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target import Target
from tvm_embbert.target_json import target_from_json
from tvm_embbert.tune.bench import emulated, unpacked

VERSION = 2


def measure(files: bytes, request: str) -> str:
    """Build a program of candidates and run them.

    Parameters
    ----------
    files : bytes
        The program, as :func:`tvm_embbert.tune.bench.packed` makes it.
    request : str
        JSON: ``version``, ``target`` (as :func:`tvm_embbert.target_json.target_to_json` gives it),
        the ``compiler`` as it names itself where `tune` runs, and the number of ``candidates``.

    Returns
    -------
    JSON: ``outcomes``, the fields of each candidate's; or ``failed``, an error's fields, where a
    candidate is at fault; or ``unable``, such fields, where the server is.
    """
    try:
        asked = json.loads(request)
        target = _checked(asked)
        return json.dumps(_measured(files, asked["candidates"], target))
    # Whatever it is: an exception would pass for a server that died, and be asked of the next.
    except Exception as error:
        return json.dumps({"unable": _told(error)})


def _checked(asked: dict[str, Any]) -> Target:
    """Return the target, once it is known that this machine measures as all others do."""
    if asked["version"] != VERSION:
        told = f"The server speaks version {VERSION}, not {asked['version']}."
        raise EmbBertError(told, hint="Install the same tvm-embbert on all machines.")
    target = target_from_json(asked["target"], Path("request"))
    command_line(require_emulator(target), Path("bench.elf"))
    found = CROSS_TOOLCHAINS[target.core.toolchain].version
    if found != asked["compiler"]:
        told = f"The server's compiler is {found!r}, not {asked['compiler']!r}."
        raise EmbBertError(told, hint="Install the same compilers on all machines.")
    return target


def _measured(files: bytes, candidates: int, target: Target) -> dict[str, Any]:
    try:
        outcomes = emulated(unpacked(files), candidates, target)
        return {"outcomes": [asdict(outcome) for outcome in outcomes]}
    except (ToolchainError, DeviceError) as error:
        return {"failed": _told(error)}


def _told(error: Exception) -> dict[str, str]:
    """Return the fields of an error on the way to the client."""
    known = error if isinstance(error, EmbBertError) else EmbBertError(repr(error))
    fields = known.as_dict()
    return {"what": fields["what"], "where": fields["where"], "hint": fields["try"]}
