"""Two libraries in one program: their symbols, what they need, and calls that alternate."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from archives import lowered
from small_module import LABELS, MAX_LENGTH, VOCABULARY

from tvm_embbert.lowering import Lowered

pytestmark = pytest.mark.host

NAMES = ("first", "second")
MAIN = """\
#include <stdio.h>

#include "tvmgen_first.h"
#include "tvmgen_second.h"

#define OUTPUTS TVMGEN_FIRST_NUM_OUTPUTS
static uint8_t first[TVMGEN_FIRST_WORKSPACE_SIZE] __attribute__((aligned(16)));
static uint8_t second[TVMGEN_SECOND_WORKSPACE_SIZE] __attribute__((aligned(16)));
static const int32_t rows[][TVMGEN_FIRST_MAX_LENGTH] = {%s};

static void show(int32_t status, const int16_t *logits) {
  printf("%%d", (int)status);
  for (int i = 0; i < OUTPUTS; ++i) printf(" %%d", logits[i]);
  printf("\\n");
}

int main(void) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    int16_t logits[OUTPUTS];
    const int32_t length = 1 + (int32_t)(i %% TVMGEN_FIRST_MAX_LENGTH);
    show(tvmgen_first_infer(rows[i], length, logits, first, sizeof first), logits);
    show(tvmgen_second_infer(rows[i], length, logits, second, sizeof second), logits);
  }
  return 0;
}
"""
COMPILER_OWN = r"mem(cpy|set|move)|_GLOBAL_OFFSET_TABLE_"
FORBIDDEN = (
    r"(m|c|re|aligned_)alloc|free|.*printf|put(s|char)|fopen|fwrite|stdout|stderr|exit|abort"
)


@pytest.fixture(scope="module")
def models() -> dict[str, Lowered]:
    """Return two models that answer differently: padding is a token for the second."""
    return {
        "first": lowered("host", "first", seed=20),
        "second": lowered("host", "second", seed=21, pad=None),
    }


@pytest.fixture(scope="module")
def built(models: dict[str, Lowered], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the objects of both."""
    folder = tmp_path_factory.mktemp("two")
    for name, made in models.items():
        made.library.write(folder / name)
        sources = sorted(map(str, (folder / name / "src").glob("*.c")))
        flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{folder / name / 'include'}"]
        subprocess.run(["gcc", *flags, "-c", *sources], check=True, cwd=folder)
    return folder


def rows() -> list[list[int]]:
    drawn = np.random.default_rng(3).integers(1, VOCABULARY, (4 * MAX_LENGTH, MAX_LENGTH))
    return [row.tolist() for row in drawn]


def test_two_models_in_one_program(models: dict[str, Lowered], built: Path) -> None:
    given = rows()
    text = ", ".join("{" + ", ".join(map(str, row)) + "}" for row in given)
    (built / "main.c").write_text(MAIN % text)
    includes = [f"-I{built / name / 'include'}" for name in NAMES]
    objects = sorted(map(str, built.glob("tvmgen_*.o")))
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", *includes, "main.c", *objects]
    subprocess.run([*command, "-o", "program"], check=True, cwd=built)
    done = subprocess.run(["./program"], check=True, cwd=built, capture_output=True, text=True)
    cut = [row[: 1 + i % MAX_LENGTH] for i, row in enumerate(given)]
    answers = [models[n].program.source.run(ids).tolist() for ids in cut for n in NAMES]
    assert done.stdout.splitlines() == [" ".join(map(str, [0, *a])) for a in answers]
    assert answers[::2] != answers[1::2]
    assert len(answers[0]) == len(LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_symbols_are_the_models_own(built: Path, name: str) -> None:
    objects = sorted(map(str, built.glob(f"tvmgen_{name}*.o")))
    done = subprocess.run(["nm", "-P", *objects], check=True, capture_output=True, text=True)
    found = [line.split()[:2] for line in done.stdout.splitlines() if not line.endswith(":")]
    exported = {symbol for symbol, kind in found if kind.isupper() and kind != "U"}
    assert {f"tvmgen_{name}_infer", f"tvmgen_{name}_run"} <= exported
    assert all(re.fullmatch(rf"tvmgen_{name}_\w+", symbol) for symbol in exported)
    needed = {symbol for symbol, kind in found if kind == "U"} - exported
    assert not [symbol for symbol in needed if re.fullmatch(FORBIDDEN, symbol)]
    assert not [symbol for symbol in needed if not re.fullmatch(COMPILER_OWN, symbol)]
