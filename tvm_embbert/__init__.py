"""A microcontroller back end for Apache TVM: EmbBERT-Q in int8, standalone C, one static arena."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvm_embbert.building import build as build
    from tvm_embbert.compiled import CompiledModel as CompiledModel
    from tvm_embbert.compiler import calibration_ids as calibration_ids
    from tvm_embbert.compiler import compile_model as compile_model
    from tvm_embbert.compiler import import_model as import_model
    from tvm_embbert.compiler import lower_model as lower_model
    from tvm_embbert.compiler import quantize_model as quantize_model
    from tvm_embbert.lowering import lower as lower
    from tvm_embbert.models.checkpoint import load_model as load_model
    from tvm_embbert.target_file import list_targets as list_targets
    from tvm_embbert.target_file import load_target as load_target

__version__ = "0.1.0"

_HOMES = {
    "CompiledModel": "tvm_embbert.compiled",
    "build": "tvm_embbert.building",
    "calibration_ids": "tvm_embbert.compiler",
    "compile_model": "tvm_embbert.compiler",
    "import_model": "tvm_embbert.compiler",
    "list_targets": "tvm_embbert.target_file",
    "load_model": "tvm_embbert.models.checkpoint",
    "load_target": "tvm_embbert.target_file",
    "lower": "tvm_embbert.lowering",
    "lower_model": "tvm_embbert.compiler",
    "quantize_model": "tvm_embbert.compiler",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    """Import what is asked for, so that ``import tvm_embbert`` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tvm_embbert' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
