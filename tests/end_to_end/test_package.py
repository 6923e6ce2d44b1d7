"""The package as users get it: the wheel, the plugin, and the pinned versions of TVM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tvm
from tvm import relax

from tvm_embbert.strategy.kernels.portable.lookup import lookup

ROOT = Path(__file__).parent.parent.parent


def python(code: str, folder: Path, path: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into a folder of its own."""
    work = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(work), str(ROOT)], check=True
    )
    (wheel,) = work.glob("*.whl")
    site = work / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    return site


@pytest.mark.host
def test_wheel_compiles_a_model_for_a_shipped_device(installed: Path, tmp_path: Path) -> None:
    code = (
        "import tvm_embbert as te; print(te.__file__); "
        "c = te.compile_model('snips', 'host', 'out', max_length=8, measure=False); "
        "print(c.run([2, 90, 238, 780]).logits.tolist(), len(te.list_targets()))"
    )
    where, answer = python(code, tmp_path, installed).splitlines()[:2]
    assert where.startswith(str(installed))
    assert answer.startswith("[")
    assert (tmp_path / "out" / "report.html").is_file()
    assert int(answer.rpartition(" ")[2]) >= 16


def test_wheel_has_the_templates_of_projects(installed: Path, tmp_path: Path) -> None:
    code = (
        "from tvm_embbert.project.template_file import known_templates, load_template; "
        "found = {n: load_template(p) for n, p in known_templates().items()}; "
        "print(*sorted(found)); "
        "files = (found['cmake'].folder / 'files').rglob('*'); "
        "print(*sorted(p.name for p in files if p.is_file()))"
    )
    names, files = python(code, tmp_path, installed).splitlines()
    shipped = sorted(p.parent.name for p in ROOT.glob("tvm_embbert/project/templates/*/*.toml"))
    assert names.split() == shipped
    ours = ROOT / "tvm_embbert" / "project" / "templates" / "cmake" / "files"
    assert files.split() == sorted(p.name for p in ours.rglob("*") if p.is_file())


def test_wheel_puts_nothing_beside_the_package(installed: Path) -> None:
    names = {p.name for p in installed.iterdir() if not p.name.endswith(".dist-info")}
    assert names - {"bin"} == {"tvm_embbert"}


def test_importing_tvm_registers_the_pipeline_and_stays_light(tmp_path: Path) -> None:
    code = (
        "import tvm, sys; from tvm.relax.pipeline import PIPELINE_MAP; "
        "print('tvm_embbert' in PIPELINE_MAP, 'tvm_embbert.transform' in sys.modules)"
    )
    assert python(code, tmp_path, ROOT).split() == ["True", "False"]


def test_registering_twice_changes_nothing() -> None:
    from tvm_embbert.plugin import register

    register()
    register()
    assert relax.get_pipeline("tvm_embbert") is not None


def test_pinned_tvm_survives_a_json_round_trip() -> None:
    function = lookup(8)
    again = tvm.ir.load_json(tvm.ir.save_json(function))
    tvm.ir.assert_structural_equal(function, again)
