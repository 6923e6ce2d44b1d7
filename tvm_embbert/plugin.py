"""What TVM calls at the end of ``import tvm`` (entry point group ``tvm.backends``).

Light on purpose: importing TVM must not import PyTorch. Everything else of the package registers
itself when it is first used.
"""

from __future__ import annotations


def register() -> None:
    """Make the integer reference of each operator known to TVM under its name.

    With that, TVM's own virtual machine runs a quantised module:
    ``R.call_pure_packed("tvm_embbert.linear", ...)`` finds its function.
    """
