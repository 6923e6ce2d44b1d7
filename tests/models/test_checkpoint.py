"""Reading a model's folder: what is missing, damaged, hostile or of another shape."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tvm_embbert.errors import InputError
from tvm_embbert.models.checkpoint import ZOO, load_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped model to damage."""
    return Path(shutil.copytree(ZOO / "snips", tmp_path / "model"))


def edit_config(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | fields
    path.write_text(json.dumps(config), encoding="utf-8")


def error_of(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_model(folder)
    return str(caught.value)


def test_shipped_model_has_what_it_needs() -> None:
    model = load_model("snips")
    assert model.labels[3] == "PlayMusic"
    assert len(model.calibration) == 128
    assert model.encoder.encode("play some jazz", 256) == [2, 90, 238, 780]


def test_pytorch_state_dict_is_read(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    read, shipped = (load_model(f).module.state_dict() for f in (folder, "snips"))
    assert read.keys() == shipped.keys()
    assert all(torch.equal(read[name], shipped[name]) for name in read)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in error_of(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("keep", [0, 7, 1000])
def test_truncated_file_is_named(folder: Path, name: str, keep: int) -> None:
    path = folder / name
    kept = min(keep, path.stat().st_size // 2)
    path.write_bytes(path.read_bytes()[:kept])
    assert name in error_of(folder)


def test_pickled_code_is_not_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (mark,))

    (folder / "model.safetensors").unlink()
    (folder / "model.pt").write_bytes(pickle.dumps({"weight": Hostile()}))
    assert "more than tensors" in error_of(folder)
    assert not mark.exists()


def test_huge_sizes_take_no_memory(folder: Path) -> None:
    edit_config(folder, hidden_size=1 << 23, vocab_size=1 << 23)
    assert "shape" in error_of(folder)
    edit_config(folder, hidden_size=1 << 60)
    assert "hidden_size" in error_of(folder)
    edit_config(folder, hidden_size=128, num_hidden_layers=1 << 20)
    assert "num_hidden_layers" in error_of(folder)


@pytest.mark.parametrize("value", [0, -1, 1.5, "128", None, True, [128]])
def test_sizes_must_be_whole_numbers(folder: Path, value: object) -> None:
    edit_config(folder, hidden_size=value)
    assert "hidden_size" in error_of(folder)


def test_unknown_architecture_is_named(folder: Path) -> None:
    edit_config(folder, model_type="GPT-9")
    assert "GPT-9" in error_of(folder)
    assert "EmbBERT" in error_of(folder)


def test_wrong_shape_names_the_weight(folder: Path) -> None:
    edit_config(folder, kernel_size=16)
    assert "conv1d.weight" in error_of(folder)


def test_missing_and_unknown_weights_are_listed(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["extra"] = state.pop("classifier.bias")
    save_file(state, folder / "model.safetensors")
    assert "classifier.bias" in error_of(folder)
    assert "extra" in error_of(folder)


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["model.norms.0.weight"][3] = float("nan")
    save_file(state, folder / "model.safetensors")
    assert "model.norms.0.weight" in error_of(folder)


def test_labels_must_be_as_many_as_logits(folder: Path) -> None:
    (folder / "labels.txt").write_text("one\ntwo\n", encoding="utf-8")
    assert "2 labels" in error_of(folder)
    (folder / "labels.txt").write_text("\n".join("abcdefg"), encoding="utf-8")
    assert load_model(folder).labels == tuple("abcdefg")


def test_tokenizer_must_fit_the_vocabulary(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    table = state["model.embedder.token.weight"]
    save_file({**state, "model.embedder.token.weight": table[:100]}, folder / "model.safetensors")
    edit_config(folder, vocab_size=100)
    assert "tokenizer" in error_of(folder)


def test_unknown_name_lists_the_shipped_models() -> None:
    with pytest.raises(InputError, match="snips"):
        load_model("no-such-model")
