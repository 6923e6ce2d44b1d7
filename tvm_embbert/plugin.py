"""What TVM calls at the end of ``import tvm`` (entry point group ``tvm.backends``).

Light on purpose: importing TVM must not import the compiler or read files. Afterwards
``relax.get_pipeline("tvm_embbert")`` is the pass that simplifies a float module for quantisation,
and TVM's RPC servers (``python -m tvm.exec.rpc_server``) can measure tuning's candidates.
"""

from __future__ import annotations

from typing import Any

PIPELINE = "tvm_embbert"
MEASURE = "tvm_embbert.measure"
"""Name of the function that builds a program of candidates and measures them."""


def register() -> None:
    """Register the float pipeline and what servers measure by; again changes nothing."""
    import tvm_ffi
    from tvm.relax import pipeline

    tvm_ffi.register_global_func(MEASURE, _measure, override=True)

    if PIPELINE not in pipeline.PIPELINE_MAP:
        pipeline.register_pipeline(PIPELINE)(_pipeline)


def _pipeline(**_options: Any) -> Any:
    """Return the module pass; what it needs is imported when it is first asked for."""
    import tvm

    from tvm_embbert.transform.pipeline import simplify

    def run(mod: Any, _context: Any) -> Any:
        return simplify(mod)

    return tvm.transform.module_pass(run, opt_level=0, name=PIPELINE)


def _measure(files: Any, request: Any) -> str:
    """Measure a program of candidates; see :func:`tvm_embbert.tune.served.measure`."""
    from tvm_embbert.tune.served import measure

    return measure(bytes(files), str(request))
