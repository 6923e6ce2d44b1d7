"""The integer models that are fused, each made once."""

from __future__ import annotations

import pytest
from fusion_models import BLOCKS, integer_model

from tvm_embbert.quantize.integer_module import IntegerModule


@pytest.fixture(scope="session")
def integer_models() -> dict[str, IntegerModule]:
    return {block: integer_model(block) for block in BLOCKS}
