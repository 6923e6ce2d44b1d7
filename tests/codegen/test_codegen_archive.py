"""Model Library Format: every field against its schema, true values, and TVM 0.18's readers."""

from __future__ import annotations

import json
import subprocess
import tarfile
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import tvm
from archives import (
    TARGETS,
    TWO_POOLS,
    archive,
    lowered,
    read_package,
    read_workspace,
    unpack_project,
)
from small_module import LABELS, MAX_LENGTH, NAME, VOCABULARY, macro, small_module

import tvm_embbert
from tvm_embbert.codegen.metadata import metadata, target_string
from tvm_embbert.codegen.names import Names
from tvm_embbert.codegen.vectors import self_test_vectors
from tvm_embbert.lowering import Lowered
from tvm_embbert.target_file import load_target
from tvm_embbert.target_json import target_from_json

ALL = (*TARGETS, TWO_POOLS)
SCHEMA = json.loads(
    (resources.files("tvm_embbert.codegen") / "model_library_format.schema.json").read_text()
)


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]


def module_of(path: Path) -> dict[str, Any]:
    found = json.loads(contents(path)["./metadata.json"])
    module: dict[str, Any] = found["modules"][NAME]
    return module


@pytest.fixture(scope="module", params=ALL)
def made(request: pytest.FixtureRequest) -> Lowered:
    return lowered(request.param)


@pytest.fixture(scope="module")
def path(made: Lowered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(made, tmp_path_factory.mktemp("archive") / "model.tar")


def test_schema_is_one_and_takes_the_archive(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(contents(path)["./metadata.json"]), SCHEMA)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("version",), 6),
        (("modules",), {}),
        (("modules", NAME, "executors"), ["graph"]),
        (("modules", NAME, "target"), {"1": "c"}),
        (("modules", NAME, "memory", "functions", "main", 0, "workspace_size_bytes"), "4"),
        (("modules", NAME, "memory", "functions", "main", 0, "inputs"), {"ids": 8}),
        (("modules", NAME, "memory", "functions", "operator_functions", 0, "workspace"), 8),
    ],
)
def test_schema_refuses(where: tuple[Any, ...], value: Any) -> None:
    made = lowered("host")
    whole = metadata(Names(NAME), made.program, made.plan, made.target, 0)
    inner: Any = whole
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, SCHEMA)


def test_files_are_these(made: Lowered, path: Path) -> None:
    names = {
        "metadata.json",
        f"parameters/{NAME}.params",
        f"src/{NAME}.relax",
        *(f"codegen/host/{name}" for name in made.library.files),
        *(f"tvm_embbert/{n}" for n in ("labels.txt", "report.json", "target.json", "vectors.json")),
    }
    found = contents(path)
    assert set(found) == {f"./{name}" for name in names}
    assert list(found) == sorted(found)
    for name, text in made.library.files.items():
        assert found[f"./codegen/host/{name}"].decode() == text
    assert not path.with_name(".model.tar.tmp").exists()


def test_sizes_are_those_of_plan_and_header(made: Lowered, path: Path) -> None:
    memory = module_of(path)["memory"]
    (main,) = memory["functions"]["main"]
    header = made.library.files[f"include/tvmgen_{NAME}.h"]
    assert main["workspace_size_bytes"] == made.plan.arena == macro(header, "WORKSPACE_SIZE")
    pools = {pool["pool_name"]: pool["size_bytes"] for pool in memory["pools"]}
    assert pools == {p.name: p.size for p in made.plan.pools}
    for name, size in pools.items():
        assert macro(header, f"{name.upper()}_WORKSPACE_POOL_SIZE") == size
    assert sum(pools.values()) == main["workspace_size_bytes"]
    assert main["inputs"] == {"ids": {"dtype": "int32", "size": 4 * MAX_LENGTH}}
    assert main["outputs"] == {"output": {"dtype": "int16", "size": 2 * len(LABELS)}}
    assert macro(header, "IDS_SIZE") == 4 * MAX_LENGTH
    assert macro(header, "OUTPUT_SIZE") == 2 * len(LABELS)
    assert main["io_size_bytes"] == 4 * MAX_LENGTH + 2 * len(LABELS)
    constants = sum(np.asarray(v).nbytes for v in made.program.constants.values())
    assert main["constants_size_bytes"] == constants


def test_two_memories_make_two_pools() -> None:
    assert [pool.name for pool in lowered(TWO_POOLS).plan.pools] == ["tcm", "sram"]


def test_workspace_of_a_kernel_is_its_scratch(made: Lowered, path: Path) -> None:
    functions = module_of(path)["memory"]["functions"]
    sizes = {
        f["function_name"]: f["workspace"][0]["workspace_size_bytes"]
        for f in functions["operator_functions"]
    }
    assert set(sizes) == {f"tvmgen_{NAME}_{kernel}" for kernel in made.program.kernels}
    scratch = {s.name: [made.program.buffers[b] for b in s.scratch] for s in made.program.steps}
    needed = [sum(b.size(MAX_LENGTH) for b in scratch[s.name]) for s in made.program.steps]
    for step, size in zip(made.program.steps, needed, strict=True):
        assert sizes[f"tvmgen_{NAME}_{step.kernel}"] >= size
    assert 0 < max(sizes.values()) == max(needed) <= made.plan.arena


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("host", "c -keys=cpu -model=host"),
        ("nrf52840", "c -keys=arm_cpu,cpu -mcpu=cortex-m4 -model=nrf52840"),
        ("esp32-c3", "c -keys=cpu -march=rv32imc_zicsr -model=esp32-c3"),
    ],
)
def test_target_is_a_string_of_tvm(name: str, text: str) -> None:
    assert target_string(load_target(name)) == text


def test_parameters_load_to_nothing(path: Path, tmp_path: Path) -> None:
    """As TVMC opens the package."""
    name, executor, parameters = read_package(path, tmp_path)
    assert (name, executor) == (NAME, "aot")
    assert parameters.stat().st_size > 0
    assert dict(tvm.runtime.load_param_dict(parameters.read_bytes())) == {}


def test_workspace_is_read(made: Lowered, path: Path) -> None:
    assert read_workspace(path) == made.plan.arena


def test_relax_is_readable(path: Path) -> None:
    text = contents(path)[f"./src/{NAME}.relax"].decode()
    assert "R.call_pure_packed" in text
    assert "tvm_embbert.linear" in text


def test_own_files(made: Lowered, path: Path) -> None:
    found = contents(path)
    fields = json.loads(found["./tvm_embbert/target.json"])
    assert target_from_json(fields, made.target.source) == made.target
    assert found["./tvm_embbert/labels.txt"].decode().splitlines() == list(LABELS)
    vectors = self_test_vectors(made.program.source, VOCABULARY, MAX_LENGTH, 2)
    assert json.loads(found["./tvm_embbert/vectors.json"]) == vectors


@pytest.mark.parametrize("length", [1, 2, 5, MAX_LENGTH])
@pytest.mark.parametrize("pad", [0, None])
def test_vectors_are_the_references(length: int, pad: int | None) -> None:
    module = small_module(pad)
    rows = self_test_vectors(module, VOCABULARY, length, 2)["vectors"]
    *answered, unknown, empty = rows
    assert (unknown["code"], unknown["logits"]) == (-3, [])
    assert max(unknown["ids"]) >= VOCABULARY
    assert empty == {"ids": [], "code": -2, "logits": []}
    assert len({tuple(r["ids"]) for r in answered}) == len(answered)
    assert {1, length} <= {len(r["ids"]) for r in answered}
    for row in answered:
        assert row["code"] == 0
        assert row["ids"][0] == 2
        assert len(row["ids"]) <= length
        assert row["logits"] == module.run(row["ids"]).tolist()
    padded = [r for r in answered if r["ids"][-1] == pad]
    assert len(padded) == (pad is not None and length > 1)


@pytest.mark.host
@pytest.mark.parametrize("name", ["host", TWO_POOLS])
def test_functions_are_symbols_of_the_sources(name: str, tmp_path: Path) -> None:
    made = archive(lowered(name), tmp_path / "model.tar")
    sources, include = unpack_project(made, tmp_path / "project")
    command = ["gcc", "-std=c99", "-c", f"-I{include}", *map(str, sources)]
    subprocess.run(command, check=True, cwd=tmp_path)
    objects = [f"{source.stem}.o" for source in sources]
    done = subprocess.run(
        ["nm", "-P", *objects], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    rows = (line.split() for line in done.stdout.splitlines() if not line.endswith(":"))
    defined = {row[0] for row in rows if row[1] == "T"}
    functions = module_of(made)["memory"]["functions"]["operator_functions"]
    assert functions
    assert {f["function_name"] for f in functions} <= defined


@pytest.mark.parametrize("name", ["host", pytest.param("mps2-an386", marks=pytest.mark.emulator)])
@pytest.mark.host
def test_compiled_model_has_its_final_report_in_the_archive(name: str, tmp_path: Path) -> None:
    compiled = tvm_embbert.build(lowered(name), tmp_path / "out")
    made = tmp_path / "out" / "model.tar"
    assert json.loads(contents(made)["./tvm_embbert/report.json"]) == compiled.report
    if name != "host":  # counted after linking, and in the archive all the same
        assert compiled.report["instructions"]["per_inference"] > 0
    (main,) = module_of(made)["memory"]["functions"]["main"]
    memory = compiled.report["memory"]
    assert main["workspace_size_bytes"] == memory["ram"]["arena"] == read_workspace(made)
    assert main["constants_size_bytes"] == memory["flash"]["weights"]
    rows = json.loads(contents(made)["./tvm_embbert/vectors.json"])["vectors"]
    for row in rows:
        answer = compiled.run(row["ids"])
        assert answer.code == row["code"]
        assert [int(v) for v in answer.logits][: len(row["logits"])] == row["logits"]
