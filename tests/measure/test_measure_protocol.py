"""Frames and fault registers, without any device."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import protocol
from tvm_embbert.measure.arm_faults import unpack_arm_fault
from tvm_embbert.measure.faults import fault_error
from tvm_embbert.measure.harness_session import step_ticks
from tvm_embbert.measure.protocol import MARK_SAMPLES, FrameType, Result, StepTicks
from tvm_embbert.measure.riscv_faults import unpack_riscv_fault
from tvm_embbert.measure.sources import RUNTIME


@pytest.mark.parametrize(
    "header",
    [
        (0x11111111, protocol.VERSION, 2, 4),
        (protocol.MAGIC, 9, 2, 4),
        (protocol.MAGIC, protocol.VERSION, 99, 4),
        (protocol.MAGIC, protocol.VERSION, 2, 2**31),
    ],
)
def test_damaged_headers(header):
    with pytest.raises(DeviceError, match="no answer"):
        protocol.unpack_header(protocol.HEADER.pack(*header))


def test_header_as_in_c():
    text = (RUNTIME / "include" / "harness_protocol.h").read_text()
    numbers = dict(re.findall(r"#define HARNESS_(\w+) (0x[0-9A-F]+|\d+)u", text))
    assert int(numbers["MAGIC"], 16) == protocol.MAGIC
    assert int(numbers["VERSION"]) == protocol.VERSION
    assert int(numbers["MARK_SAMPLES"]) == protocol.MARK_SAMPLES
    assert {kind.name: int(numbers[kind.name]) for kind in FrameType} == {
        kind.name: kind.value for kind in FrameType
    }


@pytest.mark.parametrize("size", [0, 23, 25])
def test_result_of_a_wrong_size(size):
    with pytest.raises(DeviceError, match="bytes instead of"):
        protocol.unpack_result(bytes(size))


def test_result():
    steps = (2**33, 7, 0, 8, 1, 0)
    payload = struct.pack("<iIQIIQIIQII3h", -4, 3, 2**40, 2, 5, *steps, -1, 0, 32767)
    result = protocol.unpack_result(payload)
    assert (result.code, result.ticks, result.mark_ticks) == (-4, 2**40, 5)
    assert result.steps == (StepTicks(2**33, 7), StepTicks(8, 1))
    np.testing.assert_array_equal(result.logits, [-1, 0, 32767])


def test_marks_themselves_are_taken_off():
    steps = (StepTicks(10**10, 1000), StepTicks(40, 4), StepTicks(3, 1), StepTicks(0, 0))
    result = Result(0, 0, steps, 5 * MARK_SAMPLES // 2, np.zeros(1, np.int16))
    assert step_ticks(result) == [10**10 - 2500, 30, 0, 0]


@pytest.mark.parametrize(("code", "text"), [(3, "counter"), (77, "unknown reason 77")])
def test_errors_of_the_harness(code, text):
    assert text in str(protocol.error_of(struct.pack("<II32s", code, 0, b"")))


@pytest.mark.parametrize(
    ("name", "behind", "text"),
    [
        (b"dtcm", 0, "before the start of the memory pool 'dtcm'"),
        (b"sram", 1, "behind the end of the memory pool 'sram'"),
        (b"stack", 0, "before the start of the stack"),
    ],
)
def test_errors_of_the_guards(name, behind, text):
    assert text in protocol.error_of(struct.pack("<II32s", 5, behind, name)).what


def test_damaged_error():
    with pytest.raises(DeviceError, match="4 bytes instead of 40"):
        protocol.error_of(bytes(4))


def test_fault_without_registers():
    fault = unpack_arm_fault(struct.pack("<14I", 6, 0, 1 << 20, *[0] * 11))
    error = fault_error(fault, None)
    assert (fault.pc, fault.address) == (None, None)
    assert "UsageFault: STKOF" in error.what
    assert "pc=" not in error.where


def riscv_fault(mcause, in_guard):
    return unpack_riscv_fault(
        struct.pack("<35I", mcause, 0x80001234, 0xF0, in_guard, *range(1, 32))
    )


def test_registers_of_riscv():
    fault = riscv_fault(5, 0)
    error = fault_error(fault, "linear")
    assert (fault.pc, fault.address) == (0x80001234, 0xF0)
    assert "in linear with a load access fault at address 0x000000f0: data read" in error.what
    registers = dict(pair.split("=") for pair in error.where.split())
    numbers = {"ra": 1, "sp": 2, "t0": 5, "s0": 8, "s1": 9, "a0": 10, "a7": 17, "s2": 18, "s11": 27}
    numbers |= {"t3": 28, "t6": 31, "pc": 0x80001234, "mcause": 5, "mtval": 0xF0}
    assert numbers.items() <= {name: int(value, 16) for name, value in registers.items()}.items()
    assert len(registers) == 3 + 31


@pytest.mark.parametrize(
    ("mcause", "in_guard", "what", "hint"),
    [
        (7, 1, "store access fault at address 0x000000f0: stack overflow", "larger stack"),
        (7, 0, "store access fault at address 0x000000f0: data written", "map file"),
        (2, 1, "illegal instruction: an instruction that the core does not have", "flags"),
        (2**31 + 7, 0, "trap 0x80000007: no cause given", "map file"),
    ],
)
def test_causes_of_riscv(mcause, in_guard, what, hint):
    error = fault_error(riscv_fault(mcause, in_guard), None)
    assert what in error.what
    assert hint in error.hint


@pytest.mark.parametrize("unpack", [unpack_arm_fault, unpack_riscv_fault])
def test_damaged_fault(unpack):
    with pytest.raises(DeviceError, match="damaged"):
        unpack(b"123")
