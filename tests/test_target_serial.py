"""The serial line in a device's file: what it may say, and the error for every kind of mistake."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tvm_embbert.errors import TargetError
from tvm_embbert.target import Region, Serial, Target
from tvm_embbert.target_file import load_target
from tvm_embbert.target_json import target_from_json, target_to_json

DEVICE = """\
name = "mine"
description = "A board of one's own"
core = "cortex-m4"
[memory.flash]
size = "1 MiB"
access = "rx"
[memory.sram]
size = "256 KiB"
access = "rw"
"""

SERIAL = """\
[serial]
uart = "mine.c"
baud = 921_600
port = "/dev/ttyACM0"
counter = "dwt"
core_hz = 64_000_000
vectors = { origin = 0x0800_0000, length = "1 KiB" }
code = { origin = 0x0800_0400, length = 0xF_FC00 }
data = { origin = 0x2000_0000, length = "256 KiB" }
load_ram = { origin = 0x2000_2000, length = "248 KiB" }
flash = "openocd -f board.cfg -c 'program {elf} verify reset exit'"
"""

BUILT_IN = '[serial]\nuart = "16550"\nbase = 0x1000_0000\nclock_hz = 3_686_400\n'


def load(folder: Path, serial: str, old: str = "", new: str = "") -> Target:
    """Load a device whose serial line has ``old`` replaced by ``new``."""
    assert old in serial
    (folder / "mine.c").touch()
    path = folder / "mine.toml"
    path.write_text(DEVICE + (serial.replace(old, new, 1) if old else serial))
    return load_target(path)


def test_all_keys(tmp_path: Path) -> None:
    assert load(tmp_path, SERIAL).serial == Serial(
        uart=str(tmp_path / "mine.c"),
        baud=921_600,
        port="/dev/ttyACM0",
        counter="dwt",
        core_hz=64_000_000,
        vectors=Region(0x0800_0000, 1024),
        code=Region(0x0800_0400, 0xF_FC00),
        data=Region(0x2000_0000, 2**18),
        load_ram=Region(0x2000_2000, 248 * 1024),
        flash="openocd -f board.cfg -c 'program {elf} verify reset exit'",
    )


def test_what_may_be_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, "").serial is None
    serial = load(tmp_path, BUILT_IN).serial
    assert serial == Serial("16550", 0x1000_0000, 3_686_400)
    assert (serial.baud, serial.stride, serial.unit) == (115_200, 1, "instructions")


@pytest.mark.parametrize(
    ("counter", "unit"), [("dwt", "cycles"), ("mcycle", "cycles"), ("minstret", "instructions")]
)
def test_units(counter: str, unit: str) -> None:
    assert Serial("cmsdk", 0, 1, counter=counter, core_hz=1).unit == unit


@pytest.mark.parametrize("serial", ["", BUILT_IN, SERIAL])
def test_a_compiled_model_remembers_it(tmp_path: Path, serial: str) -> None:
    target = load(tmp_path, serial)
    assert target_from_json(json.loads(json.dumps(target_to_json(target))), target.source) == target


def test_models_compiled_before_there_were_serial_lines(tmp_path: Path) -> None:
    target = load(tmp_path, SERIAL)
    fields = target_to_json(target)
    del fields["serial"]
    assert target_from_json(fields, target.source) == replace(target, serial=None)


@pytest.mark.parametrize(
    ("serial", "old", "new", "key", "text"),
    [
        (BUILT_IN, '"16550"', '"16560"', "uart", "unknown"),
        (BUILT_IN, '"16550"', '"none.c"', "uart", "does not exist"),
        (BUILT_IN, "clock_hz = 3_686_400", "", "clock_hz", "clock_hz is 0"),
        (BUILT_IN, "0x1000_0000", "0x1_0000_0000", "base", "base is"),
        (BUILT_IN, "base", "bass", "bass", "Unknown key"),
        (BUILT_IN, 'uart = "16550"', "", "uart", "missing"),
        (BUILT_IN, "3_686_400", "3_686_400\nstride = 0", "stride", "stride is 0"),
        (SERIAL, "921_600", "0", "baud", "baud is 0"),
        (SERIAL, '"dwt"', '"dwc"', "counter", "unknown"),
        (SERIAL, "core_hz = 64_000_000", "", "core_hz", "core_hz is 0"),
        (SERIAL, 'counter = "dwt"', "", "counter", "counter of its own"),
        (SERIAL, "code = { origin = 0x0800_0400, length = 0xF_FC00 }", "", "code", "missing"),
        (SERIAL, "0x0800_0400", "0x0800_0200", "code", "overlap"),
        (SERIAL, "0x2000_2000", "0x2000_2004", "load_ram", "begins at"),
        (SERIAL, "{elf}", "image.elf", "flash", "does not name the image"),
        (SERIAL, '"248 KiB"', '"248 KB"', "load_ram.length", "no size"),
    ],
)
def test_mistakes(tmp_path: Path, serial: str, old: str, new: str, key: str, text: str) -> None:
    with pytest.raises(TargetError) as caught:
        load(tmp_path, serial, old, new)
    error = caught.value
    assert text in error.what
    assert error.where.endswith(f"mine.toml: serial.{key}")
    assert error.supported
