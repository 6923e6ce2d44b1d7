"""Fused models give the bytes of those that are not, in less memory, whatever the tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fusion_models import BLOCKS, MAX_LENGTH, fused_model, library_of, random_sentences

from tvm_embbert.measure import ModelSources, build_library, open_session
from tvm_embbert.program.program import Access

TILES = [0, 1, 2, 3, 5, 8, 39, None]
LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 38, 39, MAX_LENGTH]
ALL_BLOCKS = pytest.mark.parametrize("block", BLOCKS)


@pytest.mark.host
@pytest.mark.parametrize("tile_rows", TILES)
@ALL_BLOCKS
def test_every_tile_gives_the_same_bytes(integer_models, block, tile_rows, tmp_path: Path):
    module = integer_models[block]
    fused = fused_model(module, tile_rows)
    paths = library_of(fused).write(tmp_path)
    sources = tuple(path for path in paths if path.suffix == ".c")
    built = build_library(ModelSources("fused", sources, tmp_path / "include"), tmp_path / "out")
    different = set()
    with open_session(built) as session:
        for ids in random_sentences(LENGTHS):
            answer = session.infer(ids)
            assert answer.code == 0
            assert answer.logits.tobytes() == module.run(ids).tobytes(), len(ids)
            different.add(answer.logits.tobytes())
    assert len(different) > len(LENGTHS) // 2, "the logits tell sentences apart"


@ALL_BLOCKS
def test_tiles_save_memory(integer_models, block):
    arenas = [fused_model(integer_models[block], rows).plan.arena for rows in (0, 8, 1)]
    assert arenas[0] > arenas[1] >= arenas[2]


def operators_in_loops(fused) -> list[list[str]]:
    return [[fused.program.steps[i].operator for i in loop.steps] for loop in fused.program.loops]


def test_feed_forward_is_one_loop(integer_models):
    fused = fused_model(integer_models["feed forward"], 1)
    assert operators_in_loops(fused) == [["gather", "linear", "lookup", "linear"]]
    assert set(fused.program.local.values()) == {0}


def test_convolutions_share_a_loop_and_keep_their_windows(integer_models):
    fused = fused_model(integer_models["convolutions"], 4)
    program = fused.program
    (loop,) = program.loops
    taken = {program.steps[i].operator for i in loop.steps}
    assert {"gather", "causal_convolution", "lookup", "linear"} <= taken
    windows = {rows for rows in program.local.values() if rows}
    assert windows == {4, 2, 3}, "one row less than each convolution has taps"
    for name, rows in program.local.items():
        assert program.buffers[name].shape[0] == rows + 4


def test_queries_and_contexts_exist_for_a_tile_only(integer_models):
    program = fused_model(integer_models["two heads"], 2).program
    looped = [i for loop in program.loops for i in loop.steps]
    attended = [i for i, s in enumerate(program.steps) if s.operator == "attention" and i in looped]
    assert attended
    for index in attended:
        query, keys = (a for a in program.steps[index].arguments[:2])
        assert query.access is Access.ROWS
        assert str(query.value) in program.local
        assert keys.access is Access.WHOLE
        assert str(keys.value) not in program.local


@ALL_BLOCKS
def test_no_buffer_grows_with_the_square_of_the_length(integer_models, block):
    program = fused_model(integer_models[block], 1).program
    for buffer in program.buffers.values():
        assert 2 * buffer.size(100) >= buffer.size(200), buffer


@pytest.mark.parametrize("block", BLOCKS)
def test_steps_keep_their_dependences(integer_models, block):
    for rows in (0, 1, None):
        program = fused_model(integer_models[block], rows).program
        made = {program.input}
        for step in program.steps:
            assert set(step.reads) <= made, step.name
            made.add(step.writes)
        assert program.result in made


def test_deterministic(integer_models):
    for module in integer_models.values():
        first, second = (fused_model(module, 3) for _ in range(2))
        assert first.plan.places == second.plan.places
        assert library_of(first).files == library_of(second).files


def test_reference_is_what_the_models_compute(integer_models):
    """Guard against models whose logits saturate or vanish: they would agree by chance."""
    for module in integer_models.values():
        logits = np.concatenate([module.run(ids) for ids in random_sentences(LENGTHS)])
        assert np.mean(np.abs(logits) < 32767) > 0.9
        assert np.mean(logits != 0) > 0.9
