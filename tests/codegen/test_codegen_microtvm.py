"""Firmware written for microTVM's AOT interface, as C and as C++, against the archive's library."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from archives import TWO_POOLS, archive, lowered, unpack_project
from small_module import LABELS, MAX_LENGTH, NAME, macro

from tvm_embbert.lowering import Lowered

pytestmark = pytest.mark.host

FIRMWARE = """\
#include <stdint.h>
#include <stdio.h>

#include "tvmgen_small.h"

#ifndef TVMGEN_SMALL_H_
#error "microTVM's include guard"
#endif

%(memory)s
static int32_t input_data[TVMGEN_SMALL_IDS_SIZE / sizeof(int32_t)] = {2, 7, 4, 9};
static int16_t output_data[TVMGEN_SMALL_OUTPUT_SIZE / sizeof(int16_t)];

int main(void) {
  struct tvmgen_small_inputs inputs = {.ids = input_data};
  struct tvmgen_small_outputs outputs = {.output = output_data};
  struct tvmgen_small_workspace_pools pools = {%(pools)s};
  const int32_t status = tvmgen_small_run(&inputs, &outputs, &pools);
  printf("%%d", (int)status);
  for (size_t i = 0; i < sizeof output_data / sizeof output_data[0]; ++i) {
    printf(" %%d", output_data[i]);
  }
  printf("\\n");

  int16_t again[TVMGEN_SMALL_NUM_OUTPUTS];
  printf("%%d", (int)tvmgen_small_infer(input_data, 4, again%(arguments)s));
  for (size_t i = 0; i < sizeof again / sizeof again[0]; ++i) {
    printf(" %%d", again[i]);
  }
  printf("\\n");
  return TVMGEN_SMALL_WORKSPACE_SIZE == %(total)s ? 0 : 1;
}
"""
POOL = (
    "__attribute__((aligned(16))) static uint8_t memory_{0}[TVMGEN_SMALL_{1}_WORKSPACE_POOL_SIZE];"
)
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2")
LANGUAGES = {"c": ("gcc", "-std=c99"), "c++": ("g++", "-std=c++20")}


def firmware(made: Lowered) -> str:
    names = [pool.name for pool in made.plan.pools]
    return FIRMWARE % {
        "memory": "\n".join(POOL.format(name, name.upper()) for name in names),
        "pools": ", ".join(f".{name} = memory_{name}" for name in names),
        "arguments": "".join(f", memory_{name}, sizeof memory_{name}" for name in names),
        "total": " + ".join(f"sizeof memory_{name}" for name in names),
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["host", TWO_POOLS])
def test_firmware_runs_unchanged(name: str, language: str, tmp_path: Path) -> None:
    made = lowered(name)
    sources, include = unpack_project(archive(made, tmp_path / "model.tar"), tmp_path / "project")
    (tmp_path / "main.c").write_text(firmware(made))
    shared = [*STRICT, f"-I{include}"]
    compilers = [(["gcc", "-std=c99"], sources), ([*LANGUAGES[language]], [tmp_path / "main.c"])]
    for compiler, files in compilers:
        given = ["-x", language] if files[0].name == "main.c" else []
        command = [*compiler, *shared, "-c", *given, *map(str, files)]
        subprocess.run(command, check=True, cwd=tmp_path)
    program, objects = tmp_path / "program", sorted(map(str, tmp_path.glob("*.o")))
    subprocess.run([LANGUAGES[language][0], *objects, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], check=True, capture_output=True, text=True)
    expected = made.program.source.run([2, 7, 4, 9]).tolist()
    assert done.stdout.splitlines() == [" ".join(map(str, [0, *expected]))] * 2


def test_macros_of_microtvm(library) -> None:
    header = library.files[f"include/tvmgen_{NAME}.h"]
    assert macro(header, "IDS_SIZE") == 4 * MAX_LENGTH
    assert macro(header, "OUTPUT_SIZE") == 2 * len(LABELS)
    assert macro(header, "WORKSPACE_SIZE") == macro(header, "SRAM_WORKSPACE_POOL_SIZE")
