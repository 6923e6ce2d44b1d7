"""What the emulated RISC-V cores have and lack: no more than their files say."""

from __future__ import annotations

import pytest

from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.measure import EmulatorSession, ModelSources, build_image
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

SCALAR, VECTOR = "virt-rv32", "virt-rv32v"
TIMEOUT_S = 20.0

SOURCE = """\
#include "tvmgen_fake.h"
int32_t tvmgen_fake_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
                          size_t arena_size) {{
  uint32_t value = 0u;
  uint32_t *const words = arena;
  (void)ids, (void)length, (void)arena_size;
  __asm__ volatile(".option push\\n"
                   ".option arch, +a, +f, +zve32f\\n"
                   "{assembly}\\n"
                   ".option pop\\n"
                   : "=r"(value)
                   : "r"(words)
                   : "memory", "t0");
  for (int32_t i = 0; i < TVMGEN_FAKE_NUM_OUTPUTS; ++i) {{
    logits[i] = (int16_t)(i % 2 != 0 ? value >> 16 : value);
  }}
  return 0;
}}
"""

MULTIPLY = "vsetivli t0, 4, e8, m1, ta, ma; vmul.vv v1, v2, v3; mv %0, t0"


@pytest.fixture
def run(model, tmp_path):
    """Return a function that runs assembly on a board and returns what it left in %0."""

    def run_on(board, assembly):
        source = tmp_path / "assembly.c"
        source.write_text(SOURCE.format(assembly=assembly))
        model_of_it = ModelSources("fake", (source,), model.include)
        image = build_image(model_of_it, load_target(board), tmp_path / "out")
        with EmulatorSession(image, TIMEOUT_S) as session:
            low, high = session.infer([1]).logits[:2].astype("<u2")
        return int(low) | int(high) << 16

    return run_on


@pytest.mark.parametrize(
    ("board", "assembly"),
    [
        (SCALAR, MULTIPLY),
        (SCALAR, "amoadd.w %0, zero, (%1)"),
        (SCALAR, "fadd.s ft0, ft0, ft0"),
        (VECTOR, "amoadd.w %0, zero, (%1)"),
        (VECTOR, "fadd.s ft0, ft0, ft0"),
        (VECTOR, "vsetivli t0, 4, e32, m1, ta, ma; vfadd.vv v1, v2, v3"),
        (VECTOR, "vsetivli t0, 2, e64, m1, ta, ma; vadd.vv v1, v2, v3"),
    ],
)
def test_core_refuses_what_it_lacks(run, board, assembly):
    with pytest.raises(
        DeviceError, match="tvmgen_fake_infer with an illegal instruction"
    ) as caught:
        run(board, assembly)
    assert "compiler flags" in caught.value.hint


@pytest.mark.parametrize(
    ("assembly", "value"),
    [
        (MULTIPLY, 4),
        ("csrr %0, vlenb", 16),
        ("li t0, 1000; vsetvli %0, t0, e8, m8, ta, ma", 128),
        # Elements behind the vector's end are filled with ones, as the specification allows.
        (
            "vsetivli t0, 4, e32, m1, ta, ma; vmv.v.i v1, 5; vsetivli t0, 1, e32, m1, ta, ma; "
            "vmv.v.i v1, 7; vsetivli t0, 4, e32, m1, ta, ma; vslidedown.vi v1, v1, 3; "
            "vmv.x.s %0, v1",
            0xFFFFFFFF,
        ),
    ],
)
def test_vectors(run, assembly, value):
    assert run(VECTOR, assembly) == value


@pytest.mark.parametrize(
    ("assembly", "text"),
    [
        ("ecall", "environment call from machine mode"),
        ("lw %0, -16(zero)", "load access fault at address 0xfffffff0"),
        ("sw zero, -16(zero)", "store access fault at address 0xfffffff0: data written"),
        ("li t0, -16; jr t0", "instruction access fault at address 0xfffffff0"),
    ],
)
def test_traps_are_told(run, assembly, text):
    with pytest.raises(DeviceError, match=text):
        run(SCALAR, assembly)


def test_missing_c_library_is_named(model, tmp_path, monkeypatch):
    """A compiler without its C library fails as GCC does where the package is not installed."""
    fake = tmp_path / "riscv64-unknown-elf-gcc"
    text = "riscv64-unknown-elf-gcc: fatal error: cannot read spec file 'picolibc.specs'"
    fake.write_text(f'#!/bin/sh\necho "{text}" >&2\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ToolchainError, match=r"picolibc\.specs") as caught:
        build_image(model, load_target(SCALAR), tmp_path / "out")
    assert caught.value.hint == "Install picolibc-riscv64-unknown-elf."
