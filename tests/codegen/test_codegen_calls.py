"""Calling the emitted library: results, errors, bounds, and two callers at once."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_module import LABELS, MAX_LENGTH, NAME, VOCABULARY

pytestmark = pytest.mark.host

OK, NULL, LENGTH, TOKEN, ARENA_SIZE, ARENA_ALIGNMENT = 0, -1, -2, -3, -4, -5


def test_logits_are_those_of_the_reference(caller, module, sentences):
    for ids in sentences:
        caller.fresh(0x5A)
        assert caller.infer(ids) == OK
        np.testing.assert_array_equal(caller.result(), module.run(ids), str(ids))
        assert caller.margins_intact(), ids


def test_logits_tell_sentences_apart(module, sentences):
    """Guard against a small model that gives the same whatever its kernels do."""
    results = {tuple(module.run(ids)) for ids in sentences}
    assert len(results) > 0.8 * len(sentences)


@pytest.mark.parametrize("fill", [0x00, 0x80, 0xFF])
def test_what_was_in_the_memory_does_not_matter(caller, module, sentences, fill):
    for ids in sentences:
        caller.fresh(fill)
        assert caller.infer(ids) == OK
        np.testing.assert_array_equal(caller.result(), module.run(ids), str(ids))


def test_trailing_padding_changes_nothing(caller):
    caller.infer([2, 9, 11])
    expected = caller.result().copy()
    for length in range(4, MAX_LENGTH + 1):
        caller.fresh(0x5A)
        assert caller.infer([2, 9, 11] + [0] * (length - 3)) == OK
        np.testing.assert_array_equal(caller.result(), expected)


@pytest.mark.parametrize(
    ("ids", "changes", "code"),
    [
        ([2], {"ids": None}, NULL),
        ([2], {"logits": None}, NULL),
        ([2], {"arena": None}, NULL),
        ([2], {"length": 0}, LENGTH),
        ([2], {"length": -1}, LENGTH),
        ([2], {"length": -(2**31)}, LENGTH),
        ([2], {"length": MAX_LENGTH + 1}, LENGTH),
        ([2], {"length": 2**31 - 1}, LENGTH),
        ([0], {}, LENGTH),
        ([0] * MAX_LENGTH, {}, LENGTH),
        ([2, -1], {}, TOKEN),
        ([2, VOCABULARY], {}, TOKEN),
        ([-(2**31)], {}, TOKEN),
        ([2**31 - 1], {}, TOKEN),
        ([2, 3, 3, 3, 3, 3, 3, VOCABULARY], {}, TOKEN),
        ([2], {"arena_size": 0}, ARENA_SIZE),
    ],
)
def test_error_writes_nothing(caller, ids, changes, code):
    assert caller.infer(ids, **changes) == code
    assert caller.untouched()


def test_arena_that_is_a_byte_short(caller):
    assert caller.infer([2], arena_size=caller.arena_size - 1) == ARENA_SIZE
    assert caller.untouched()
    assert caller.infer([2], arena_size=caller.arena_size + 1) == OK


@pytest.mark.parametrize("offset", [1, 2, 4, 8, 15])
def test_misaligned_arena(caller, offset):
    address = caller.arena.ctypes.data + offset
    assert caller.infer([2], arena=address) == ARENA_ALIGNMENT
    assert caller.untouched()


def test_ids_past_the_length_are_not_read(caller):
    assert caller.infer([2, 5, VOCABULARY, -7], length=2) == OK


def test_largest_and_smallest_token(caller, module):
    assert caller.infer([VOCABULARY - 1, 0, VOCABULARY - 1]) == OK
    expected = module.run([VOCABULARY - 1, 0, VOCABULARY - 1])
    np.testing.assert_array_equal(caller.result(), expected)


def test_microtvm_interface(caller, module):
    ids = np.array([2, 7, 4, 9, 0, 0, 0, 0], np.int32)
    logits = np.zeros(len(LABELS), np.int16)
    arena = caller.arena.ctypes.data + 64
    arguments = [ids.ctypes.data, logits.ctypes.data, arena]
    assert caller.run(*arguments) == OK
    np.testing.assert_array_equal(logits, module.run(ids))
    for position in range(3):
        missing = [None if i == position else a for i, a in enumerate(arguments)]
        assert caller.run(*missing) == NULL
        empty = [0 if i == position else a for i, a in enumerate(arguments)]
        assert caller.run(*empty) == NULL


def test_two_threads_with_arenas_of_their_own(make_caller, module, sentences):
    def work(order):
        caller = make_caller()
        answers = []
        for ids in order * 20:
            assert caller.infer(ids) == OK
            answers.append(caller.result().tolist())
        return answers

    orders = (sentences, sentences[::-1])
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(work, orders))
    for order, found in zip(orders, answers, strict=True):
        assert found == [module.run(ids).tolist() for ids in order] * 20


PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tvmgen_{name}.h"

#define SIZE TVMGEN_{macro}_WORKSPACE_POOL_SIZE

int main(void) {{
  for (int32_t length = 1; length <= TVMGEN_{macro}_MAX_LENGTH; ++length) {{
    void *arena = NULL;
    int32_t *ids = malloc((size_t)length * sizeof *ids);
    int16_t *logits = malloc(TVMGEN_{macro}_NUM_OUTPUTS * sizeof *logits);
    if (posix_memalign(&arena, TVMGEN_{macro}_WORKSPACE_POOL_ALIGNMENT, SIZE) != 0) return 1;
    memset(arena, 0xA5, SIZE);
    for (int32_t i = 0; i < length; ++i) ids[i] = (i * 7 + length) % 15 + 1;
    if (tvmgen_{name}_infer(ids, length, logits, arena, SIZE) != 0) return 2;
    for (int32_t i = 0; i < TVMGEN_{macro}_NUM_OUTPUTS; ++i) printf("%d ", logits[i]);
    free(ids);
    free(logits);
    free(arena);
  }}
  return 0;
}}
"""


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_sanitizers_find_nothing(folder, sources, module, tmp_path, level):
    """All memory is allocated exactly, so that a byte too far is seen."""
    main, program = tmp_path / "main.c", tmp_path / "main"
    main.write_text(PROGRAM.format(name=NAME, macro=NAME.upper()))
    flags = ["-D_POSIX_C_SOURCE=200112L", "-std=c99", level, "-g", f"-I{folder / 'include'}"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *flags, *checks, *sources, str(main), "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    lengths = range(1, MAX_LENGTH + 1)
    ids = [[(i * 7 + n) % 15 + 1 for i in range(n)] for n in lengths]
    assert done.stdout.split() == [str(v) for row in ids for v in module.run(row)]
