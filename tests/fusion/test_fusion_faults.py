"""Corrupted plans that change an answer of the emitted C are found by the verifier."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fusion_models import BLOCKS, MAX_LENGTH, fused_model, library_of, random_sentences

from tvm_embbert.memory.plan import ALIGNMENT
from tvm_embbert.memory.verify import PlanError, verify

pytestmark = pytest.mark.host

CORRUPTIONS = 700
DRIVER = Path(__file__).parent / "movable.c"
SENTENCES = random_sentences([MAX_LENGTH, MAX_LENGTH, MAX_LENGTH - 5])


class MovableModel:
    """A fused model in C whose buffers lie where an array of offsets says."""

    def __init__(self, fused, folder: Path) -> None:
        self.fused = fused
        self.names = sorted(fused.plan.places)
        files = library_of(fused).write(folder)
        entry = next(p for p in files if p.name == "tvmgen_fused.c")
        entry.write_text(self._movable(entry.read_text()))
        self._program = folder / "movable"
        sources = [str(p) for p in files if p.suffix == ".c"]
        command = ["gcc", "-std=gnu11", "-O1", f"-I{folder / 'include'}", *sources, str(DRIVER)]
        subprocess.run([*command, "-o", str(self._program)], check=True)

    def _movable(self, text: str) -> str:
        """Replace each offset by an element of the array, by the offset of the buffer's owner."""
        program, places = self.fused.program, self.fused.plan.places

        def element(match: re.Match[str]) -> str:
            owner = match[1]
            while owner in program.in_place:
                owner = program.in_place[owner]
            assert places[owner][1] == int(match[3])
            return f"const {match[1]}{match[2]}(memory_sram + offsets[{self.names.index(owner)}])"

        pattern = r"const (\w+)( = [^;]*?)\(memory_sram \+ (\d+)\)"
        moved, count = re.subn(pattern, element, text)
        assert count >= len(self.names)
        declared = f"int32_t offsets[{len(self.names)}];\n\nstatic void compute("
        return moved.replace("static void compute(", declared)

    def answers(self, plans: list[dict[str, int]]) -> list[str]:
        """Return the logits of all sentences with each plan, or that it crashed."""
        lines = [f"{len(self.names)} {len(SENTENCES)}"]
        lines += [" ".join(map(str, [len(ids), *ids])) for ids in SENTENCES]
        lines += [" ".join(str(plan[name]) for name in self.names) for plan in plans]
        done = subprocess.run(
            [str(self._program)], input="\n".join(lines), capture_output=True, text=True, check=True
        )
        return [line.strip() for line in done.stdout.splitlines()]


def is_accepted(fused, offsets: dict[str, int]) -> bool:
    places = {name: ("sram", offset) for name, offset in offsets.items()}
    try:
        verify(fused.program, places, MAX_LENGTH, {"sram": fused.plan.arena}, ALIGNMENT)
    except PlanError:
        return False
    return True


def corrupted(rng: np.random.Generator, fused, offsets: dict[str, int]) -> dict[str, int]:
    """Move one or two buffers elsewhere within the arena, so that nothing crashes."""
    sizes = {b.name: b.size for b in fused.plan.blocks}
    moved = dict(offsets)
    for name in rng.choice(sorted(offsets), rng.integers(1, 3), replace=False):
        last = fused.plan.arena - sizes[str(name)]
        moved[str(name)] = int(rng.integers(0, last // ALIGNMENT + 1)) * ALIGNMENT
    return moved


@pytest.mark.parametrize("tile_rows", [0, 3])
@pytest.mark.parametrize("block", BLOCKS)
def test_corruptions_that_change_an_answer_are_found(integer_models, block, tile_rows, tmp_path):
    fused = fused_model(integer_models[block], tile_rows)
    model = MovableModel(fused, tmp_path)
    offsets = {name: offset for name, (_, offset) in fused.plan.places.items()}
    logits = np.concatenate([integer_models[block].run(ids) for ids in SENTENCES])
    right = " ".join(map(str, logits))
    assert model.answers([offsets]) == [right]
    rng = np.random.default_rng(5)
    plans = [corrupted(rng, fused, offsets) for _ in range(CORRUPTIONS)]
    answers = model.answers(plans)
    assert len(answers) == CORRUPTIONS
    accepted = [is_accepted(fused, plan) for plan in plans]
    changing = sum(answer != right for answer in answers)
    missed = [p for p, a, ok in zip(plans, answers, accepted, strict=True) if ok and a != right]
    assert changing > CORRUPTIONS // 10, "too few corruptions matter to say anything"
    assert any(accepted), "a verifier that refuses everything finds everything"
    assert not missed, f"{len(missed)} of {changing} corruptions were missed"
