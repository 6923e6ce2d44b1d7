"""Lower a kernel's S-TIR to plain loops over flat buffers, as the C printer wants it."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import s_tir, tirx

_PASSES = (
    s_tir.transform.CanonicalizeLoop,
    s_tir.transform.LowerInitBlock,
    s_tir.transform.PlanAndUpdateBufferAllocationLocation,
    s_tir.transform.ConvertBlocksToOpaque,
    s_tir.transform.CompactBufferAllocation,
    s_tir.transform.LowerMatchBuffer,
    s_tir.transform.StmtSimplify,
    s_tir.transform.LowerOpaqueBlock,
    tirx.transform.FlattenBuffer,
    tirx.transform.UnrollLoop,
    s_tir.transform.RenormalizeSplitPattern,
    tirx.transform.StmtSimplify,
    tirx.transform.RemoveNoOp,
)


def lower_tir(prim_func: Any) -> Any:
    """Return the PrimFunc without blocks, its buffers flattened, its small loops unrolled."""
    passes = tvm.ir.transform.Sequential([p() for p in _PASSES])
    with tvm.target.Target("c"):
        module = passes(tvm.ir.IRModule({"main": prim_func}))
    return module["main"]
