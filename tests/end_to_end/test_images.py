"""Images against the integer reference: every byte of every logit, on each kind of core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow import Compile

import tvm_embbert
from tvm_embbert.measure import memory_use
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.models.text import read_labelled
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.validation import validate

DATA = Path(__file__).parent.parent / "data"
BOARDS = (
    "mps3-an547",
    "mps2-an386",
    "mps2-an385",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "virt-rv32",
    "virt-rv32v",
)
SEPARATOR = 4


def random_ids(length: int) -> list[int]:
    return [2, *np.random.default_rng(length).integers(5, 8192, length - 1).tolist()][:length]


@pytest.mark.host
def test_host_library_equals_the_reference_on_all_of_snips(compiled_for: Compile) -> None:
    compiled = compiled_for("host")
    rows = read_labelled(DATA / "snips_test.tsv.gz", compiled.labels)
    with compiled.session() as session:
        result = validate(compiled, session, rows)
    assert result["rows"] == result["identical_rows"] == 700
    assert result["accuracy"]["image"] == result["accuracy"]["reference"]
    assert result["instructions"] is None


@pytest.mark.host
@pytest.mark.parametrize("board", [*BOARDS[:3], *BOARDS[-2:]])
def test_kernels_of_each_instruction_set_run_on_the_host(
    snips: Model, snips_integer: IntegerModule, board: str, tmp_path: Path
) -> None:
    """Where this machine cannot take an intrinsic's C, its meaning runs, under the sanitizers."""
    host, sets = load_target("host"), load_target(board).core.isa
    target = replace(host, core=replace(host.core, isa=sets))
    lowered = tvm_embbert.lower_model(snips, snips_integer, target)
    used = {step.choice.implementation.isa for step in lowered.program.steps}
    assert used == set(sets)
    compiled = tvm_embbert.build(lowered, tmp_path / "out", snips, measure=False, debug=True)
    for length in (1, 7, 33):
        ids = random_ids(length)
        assert compiled.run(ids).logits.tobytes() == snips_integer.run(ids).tobytes(), length


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_image_equals_the_reference(compiled_for: Compile, board: str) -> None:
    compiled = compiled_for(board)
    every = 14 if board in BOARDS[:3] + BOARDS[-1:] else 100
    rows = read_labelled(DATA / "snips_test.tsv.gz", compiled.labels)[::every]
    with compiled.session() as session:
        result = validate(compiled, session, rows)
    assert result["identical_rows"] == result["rows"] == -(-700 // every)
    assert result["instructions"]["min"] > 0


@pytest.mark.host
@pytest.mark.parametrize("length", [1, 2, 3, 7, 31, 32, 33, 64, 127, 255, 256])
def test_any_length_equals_the_reference(compiled_for: Compile, length: int) -> None:
    compiled = compiled_for("host")
    ids = random_ids(length)
    ids[length // 2] = SEPARATOR
    answer = compiled.run(ids)
    assert answer.code == 0
    assert answer.logits.tobytes() == compiled.reference.run(ids).tobytes()


@pytest.mark.host
@pytest.mark.parametrize("length", [1, 12, 100, 255])
def test_padding_changes_no_byte(compiled_for: Compile, length: int) -> None:
    compiled = compiled_for("host")
    ids = random_ids(length)
    padded = ids + [0] * (compiled.max_length - length)
    assert compiled.run(padded).logits.tobytes() == compiled.run(ids).logits.tobytes()


@pytest.mark.host
def test_padding_inside_a_sentence_is_masked_as_in_the_float_model(compiled_for: Compile) -> None:
    compiled = compiled_for("host")
    ids = random_ids(12)
    ids[5] = 0
    assert compiled.run(ids).logits.tobytes() == compiled.reference.run(ids).tobytes()
    assert compiled.run(ids).logits.tobytes() != compiled.run(ids[:5] + ids[6:]).logits.tobytes()


@pytest.mark.emulator
def test_short_sentence_costs_a_fraction(compiled_for: Compile) -> None:
    with compiled_for("mps3-an547").session() as session:
        short = session.infer(random_ids(12)).instructions
        padded = session.infer(random_ids(12) + [0] * 244).instructions
        full = session.infer(random_ids(256)).instructions
    assert short * 15 <= full
    assert padded - short < 20_000  # the check of 244 more ids, and nothing else


@pytest.mark.emulator
@pytest.mark.parametrize("board", ["mps2-an386", "virt-rv32"])
def test_counts_repeat(compiled_for: Compile, board: str) -> None:
    compiled = compiled_for(board)
    counts = []
    for _ in range(2):
        with compiled.session() as session:
            counts.append([session.infer(random_ids(n)).instructions for n in (3, 9)])
    assert counts[0] == counts[1]


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS[:3] + BOARDS[-2:])
def test_report_equals_the_linker_map(compiled_for: Compile, board: str) -> None:
    compiled = compiled_for(board)
    ram, flash = (compiled.report["memory"][kind] for kind in ("ram", "flash"))
    use = memory_use(compiled.folder / "image" / f"snips-{board}.map")
    assert (ram["arena"], ram["stack"], ram["static"]) == (
        use.ram.arena,
        use.ram.stack,
        use.ram.static,
    )
    assert ram["total"] == use.ram.total == ram["arena"] + ram["stack"] + ram["static"]
    assert flash["weights"] == sum(c["size"] for c in compiled.report["memory"]["constants"])
    assert flash["total"] == use.flash.total
    assert ram["arena"] <= 256 * 1024


@pytest.mark.emulator
@pytest.mark.parametrize("board", ["mps2-an386", "virt-rv32"])
def test_stack_stays_within_its_reservation(compiled_for: Compile, board: str) -> None:
    from tvm_embbert.measure import EmulatorSession

    compiled = compiled_for(board)
    with compiled.session() as session:
        assert isinstance(session, EmulatorSession)
        session.infer(random_ids(256))
        assert 0 < session.stack_used() <= compiled.report["memory"]["ram"]["stack"]
