"""What TVM calls at the end of ``import tvm`` (entry point group ``tvm.backends``).

Light on purpose: importing TVM must not import the compiler or read files. Afterwards
``relax.get_pipeline("tvm_embbert")`` is the pass that simplifies a float module for quantisation.
"""

from __future__ import annotations

from typing import Any

PIPELINE = "tvm_embbert"


def register() -> None:
    """Register the float pipeline with Relax; calling it again changes nothing."""
    from tvm.relax import pipeline

    if PIPELINE not in pipeline.PIPELINE_MAP:
        pipeline.register_pipeline(PIPELINE)(_pipeline)


def _pipeline(**_options: Any) -> Any:
    """Return the module pass; what it needs is imported when it is first asked for."""
    import tvm

    from tvm_embbert.transform.pipeline import simplify

    def run(mod: Any, _context: Any) -> Any:
        return simplify(mod)

    return tvm.transform.module_pass(run, opt_level=0, name=PIPELINE)
