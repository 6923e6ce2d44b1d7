"""A small integer model whose constants come straight from a seeded generator.

It has every operator, one layer, and nothing that depends on floating point, so that its C is the
same text on every machine. Run as a program it prints a digest of that text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm import relax, tirx

from tvm_embbert import compat
from tvm_embbert.codegen.header import Interface
from tvm_embbert.codegen.library import Library, generate
from tvm_embbert.codegen.names import Names
from tvm_embbert.fusion.fuse import fuse
from tvm_embbert.memory.plan import MemoryPlan, plan_memory
from tvm_embbert.memory.space import ONE_SPACE, Space
from tvm_embbert.program.build import build_program
from tvm_embbert.program.program import Program
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.quantize.quantizer import PREFIX

NAME = "small"
VOCABULARY, MAX_LENGTH, REDUCED, HIDDEN, TAPS = 16, 8, 4, 8, 3
LABELS = ("left", "right", "neither")
PAD, SEP = 0, 4
TILE_ROWS = 3
SEED = 20


class Emitter:
    """Emits integer calls with random constants into a Relax function."""

    def __init__(self, input_name: str, seed: int = SEED) -> None:
        self.rng = np.random.default_rng(seed)
        self.n = tirx.Var("n", "int64")
        self.ids = relax.Var(input_name, compat.tensor_type((self.n,), "int32"))
        self.builder = relax.BlockBuilder()
        self._count = 0

    def call(self, name: str, args: list[Any], shape: tuple[Any, ...], dtype: str) -> Any:
        out = compat.tensor_type(shape, dtype)
        values = (
            compat.constant(a)
            if isinstance(a, np.ndarray)
            else compat.literal(a)
            if isinstance(a, int | str)
            else a
            for a in args
        )
        self._count += 1
        call = relax.call_pure_packed(PREFIX + name, *values, ty_args=out)
        return self.builder.emit(call, f"{name}_{self._count}")

    def weights(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-127, 128, shape).astype(np.int8)

    def scaling(self, outputs: int, inputs: int, widening: int = 1) -> list[Any]:
        """Return bias, multiplier and shift that keep most results within the type's range.

        `widening` is how many times the result's range is that of the inputs.
        """
        multiplier = self.rng.integers(2**30, 2**31, outputs) // (90 * inputs) * widening
        bias = self.rng.integers(-2000, 2000, outputs) + 2**31 // multiplier
        return [bias.astype(np.int32), multiplier.astype(np.int32), 0]

    def linear(self, inputs: list[Any], rows: Any, outputs: int, dtype: str) -> Any:
        width = sum(compat.shape_of(x)[-1] for x in inputs)
        wide = compat.dtype_of(inputs[0]) == "int16"
        widening = 256 if dtype == "int16" and not wide else 1
        args = [*inputs, self.weights(outputs, width), *self.scaling(outputs, width, widening)]
        return self.call("linear", args, (rows, outputs), dtype)

    def compare(self, function: str, *operands: Any, dtype: str = "bool") -> Any:
        return self.call("elementwise", [function, *operands], (self.n,), dtype)


def small_module(
    pad: int | None = PAD, input_name: str = "ids", all_rows: bool = False, seed: int = SEED
) -> IntegerModule:
    """Return the model; `all_rows` makes its result a row for each token."""
    return module_of(lambda e: _body(e, e.n if all_rows else 1), pad, input_name, seed)


def module_of(
    body: Callable[[Emitter], Any],
    pad: int | None = PAD,
    input_name: str = "ids",
    seed: int = SEED,
) -> IntegerModule:
    """Return the module whose calls `body` emits."""
    e = Emitter(input_name, seed)
    with e.builder.function(compat.MAIN, [e.ids]):
        with e.builder.dataflow():
            result = e.builder.emit_output(body(e))
        e.builder.emit_func_output(result)
    mod = compat.with_bounds(e.builder.get(), {"n": MAX_LENGTH})
    made = IntegerModule(mod, {}, pad)
    made.scales[made.result.name] = 0.000244140625
    return made


def _body(e: Emitter, rows: Any) -> Any:
    hidden = e.compare("equal", e.ids, PAD)
    seen = e.call("running_sum", [e.compare("equal", e.ids, SEP)], (e.n,), "int32")
    sentence = e.compare("where", e.compare("greater", seen, 0), 2, 1, dtype="int32")
    sentence = e.compare("where", hidden, 0, sentence, dtype="int32")
    token = e.call("gather", [e.ids, e.weights(VOCABULARY, REDUCED)], (e.n, REDUCED), "int8")
    bias, multiplier, shift = e.scaling(HIDDEN, 2 * REDUCED, 256)
    bias = bias + e.rng.integers(-2000, 2000, (3, HIDDEN)).astype(np.int32)
    weight, position = e.weights(HIDDEN, 2 * REDUCED), e.weights(MAX_LENGTH, REDUCED)
    args = [token, position, sentence, weight, bias, multiplier, shift]
    x = e.call("linear", args, (e.n, HIDDEN), "int16")
    h = e.call("rms_norm", [x, 1000, 20000, 8], (e.n, HIDDEN), "int8")
    query = e.linear([h], rows, HIDDEN, "int8")
    table = np.array([127 >> (i // 32) for i in range(256)], np.int8)
    args = [query, h, h, hidden, table, 20_000_000, 0, 2**30, 1]
    attended = e.call("attention", args, (rows, HIDDEN), "int8")
    taps = [h, e.weights(TAPS, HIDDEN), *e.scaling(HIDDEN, TAPS)]
    convolved = e.call("causal_convolution", taps, (rows, HIDDEN), "int8")
    gated = e.call("lookup", [convolved, e.weights(256)], (rows, HIDDEN), "int8")
    joined = e.linear([attended, gated], rows, HIDDEN, "int16")
    return e.linear([joined], rows, len(LABELS), "int16")


def library_of(
    module: IntegerModule,
    labels: tuple[str, ...] = LABELS,
    tile_rows: int | None = TILE_ROWS,
    spaces: Sequence[Space] = ONE_SPACE,
) -> Library:
    """Return a module's C, in tiles of few rows so that its longest input takes several."""
    program = build_program(module, ["portable"])

    def plan(candidate: Program, within: Sequence[Space]) -> MemoryPlan:
        return plan_memory(candidate, MAX_LENGTH, spaces=within)

    fused = fuse(program, MAX_LENGTH, plan, spaces, tile_rows)
    return generate(Names(NAME), fused.program, fused.plan, Interface(labels, VOCABULARY))


def small_library(labels: tuple[str, ...] = LABELS, **options: Any) -> Library:
    """Return the small model's C."""
    return library_of(small_module(**options), labels)


def macro(header: str, name: str) -> int:
    """Return the value of one of the header's numbers."""
    (line,) = [
        t for t in header.splitlines() if t.startswith(f"#define TVMGEN_{NAME.upper()}_{name} ")
    ]
    return int(line.split()[-1])


if __name__ == "__main__":
    print(hashlib.sha256(repr(sorted(small_library().files.items())).encode()).hexdigest())
