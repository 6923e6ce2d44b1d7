"""What a server of a farm does: run an image of candidates on its emulator, and answer."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvm_embbert.errors import EmbBertError
from tvm_embbert.measure import Image, open_session
from tvm_embbert.target_json import target_from_json
from tvm_embbert.tune.meter import STACK_BYTES, TIMEOUT_S, run_bench

VERSION = 1


def measure(image: bytes, request: str) -> str:
    """Run the candidates of an image.

    Parameters
    ----------
    image : bytes
        The ELF file.
    request : str
        JSON: ``version``, ``target`` (as :func:`tvm_embbert.target_json.target_to_json` gives it)
        and the number of ``candidates``.

    Returns
    -------
    JSON: ``outcomes``, for each candidate ``count`` and ``differs``; or ``error``, one line.
    """
    asked = json.loads(request)
    if asked["version"] != VERSION:
        told = f"the server speaks version {VERSION}, not {asked['version']}: install the same"
        return json.dumps({"error": f"{told} tvm-embbert on both sides"})
    try:
        return json.dumps({"outcomes": _outcomes(image, asked)})
    except EmbBertError as error:
        return json.dumps({"error": str(error).splitlines()[0]})


def _outcomes(image: bytes, asked: dict[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="tvm-embbert-serve-") as name:
        elf = Path(name) / "bench.elf"
        elf.write_bytes(image)
        target = target_from_json(asked["target"], elf)
        built = Image(elf, elf.with_suffix(".map"), target, "bench", STACK_BYTES)
        with open_session(built, TIMEOUT_S) as session:
            return [asdict(outcome) for outcome in run_bench(asked["candidates"], session)]
