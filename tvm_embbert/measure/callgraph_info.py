"""Stack use and calls of compiled functions, as GCC's ``-fcallgraph-info=su`` tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

CALLGRAPH_FLAG = "-fcallgraph-info=su"
"""Makes GCC (10 or later) write a ``.ci`` file beside each object; the code stays the same."""

_INDIRECT = "__indirect_call"
_NODE = re.compile(r'node: \{ title: "(?P<title>[^"]*)" label: "(?P<label>[^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "(?P<source>[^"]*)" targetname: "(?P<target>[^"]*)"')
_USAGE = re.compile(r"(?P<bytes>\d+) bytes \((?P<kind>[a-z,]+)\)")


@dataclass
class CompiledFunction:
    """A function of one source: bytes of its frame, and what the compiler said of its calls.

    ``bounded`` is False if the frame's size is only known at run time (alloca, variable arrays).
    """

    frame: int
    bounded: bool
    calls: set[str] = field(default_factory=set)
    indirect: bool = False


def read_callgraph_info(path: Path) -> dict[str, CompiledFunction]:
    """Return the functions that a ``.ci`` file defines, by their names in the object.

    Functions that are only declared there (without a figure) are left out.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    functions: dict[str, CompiledFunction] = {}
    for node in _NODE.finditer(text):
        if usage := _USAGE.search(node["label"]):
            # "dynamic,bounded" is a frame that is aligned at run time, with the most that it takes.
            bounded = usage["kind"] != "dynamic"
            functions[_symbol(node["title"])] = CompiledFunction(int(usage["bytes"]), bounded)
    for edge in _EDGE.finditer(text):
        source, target = _symbol(edge["source"]), _symbol(edge["target"])
        functions[source].calls.add(target)
        functions[source].indirect |= target == _INDIRECT
    return functions


def _symbol(title: str) -> str:
    # A static function's title has its source in front: "kernels.c:te_sum".
    return title.rpartition(":")[2]
