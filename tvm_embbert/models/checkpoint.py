"""Read a model's folder: configuration, weights, tokenizer, labels and calibration text.

Nothing in a folder is executed: weights are safetensors, or PyTorch files read with
``weights_only``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tvm_embbert.errors import InputError
from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification
from tvm_embbert.models.text import TextEncoder, load_encoder

ZOO = Path(__file__).parent / "zoo"
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.pt")
LARGEST = 1 << 24
DEEPEST = 1 << 10
"""Largest size and depth in a configuration: beyond them the file is damaged, not ambitious."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model and what belongs to it.

    Attributes
    ----------
    name : str
        The folder's name.
    module : torch.nn.Module
        Maps token ids, int64 (1, n), to logits, float32 (1, labels).
    encoder : TextEncoder
        From text to token ids.
    labels : tuple of str
        Names of the logits.
    pad_token : int
        Id of padding.
    max_length, vocab_size : int
        Longest input in tokens; number of token ids.
    calibration : tuple of str
        Sentences that come with the model; may be empty.
    folder : Path
        Where it was read from.
    """

    name: str
    module: nn.Module
    encoder: TextEncoder
    labels: tuple[str, ...]
    pad_token: int
    max_length: int
    vocab_size: int
    calibration: tuple[str, ...]
    folder: Path


def _embbert(config: Mapping[str, Any], where: Path) -> tuple[nn.Module, EmbBertConfig]:
    names = [f.name for f in fields(EmbBertConfig)]
    sizes = {name: _size(config, name, where) for name in names}
    made = EmbBertConfig(**sizes)
    with torch.device("meta"):  # no memory is taken before the weights' shapes were compared
        return EmbBertForSequenceClassification(made), made


ARCHITECTURES: dict[str, Callable[[Mapping[str, Any], Path], tuple[nn.Module, EmbBertConfig]]] = {
    "EmbBERT": _embbert,
}
"""From ``model_type`` in config.json to what builds the module."""


def load_model(name_or_folder: str | Path) -> Model:
    """Read a model's folder, or a shipped model by its name.

    Raises
    ------
    InputError
        A file is missing, damaged, or does not fit the others; the message says which and why.
    """
    folder = _folder(name_or_folder)
    config = _config(folder / "config.json")
    architecture = config.get("model_type")
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"The architecture {architecture!r} is unknown.",
            where=f"{folder / 'config.json'}, model_type",
            supported=", ".join(ARCHITECTURES),
            hint="Define it in PyTorch and use the Python API, which takes any module.",
        )
    module, sizes = ARCHITECTURES[architecture](config, folder / "config.json")
    _load_weights(module, folder)
    return Model(
        name=folder.resolve().name,
        module=module.eval().requires_grad_(False),
        encoder=load_encoder(folder / "tokenizer.json", sizes.vocab_size),
        labels=_labels(config, folder, sizes.num_labels),
        pad_token=int(config.get("pad_token_id", 0)),
        max_length=sizes.max_length,
        vocab_size=sizes.vocab_size,
        calibration=_calibration(folder / "calibration.txt"),
        folder=folder,
    )


def _folder(name_or_folder: str | Path) -> Path:
    shipped = sorted(p.name for p in ZOO.iterdir() if p.is_dir())
    folder = Path(name_or_folder)
    if not folder.is_dir() and str(name_or_folder) in shipped:
        return ZOO / str(name_or_folder)
    if not folder.is_dir():
        raise InputError(
            f"There is no model {str(name_or_folder)!r}.",
            where=str(folder.absolute()),
            supported=f"a folder with config.json, or a shipped model: {', '.join(shipped)}",
        )
    return folder


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "The model's configuration is missing.",
            where=str(path),
            supported=f"a folder with config.json, tokenizer.json and {' or '.join(WEIGHTS)}",
        ) from error
    except (OSError, ValueError) as error:
        raise InputError("config.json cannot be read.", where=f"{path}: {error}") from error
    if not isinstance(config, dict):
        raise InputError("config.json must hold an object.", where=str(path))
    return config


def _size(config: Mapping[str, Any], name: str, where: Path) -> int:
    value, largest = config.get(name), DEEPEST if "layers" in name else LARGEST
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise InputError(
            f"{name} is {'missing' if value is None else repr(value)}.",
            where=f"{where}, {name}",
            supported=f"a whole number from 1 to {largest}",
        )
    return value


def _load_weights(module: nn.Module, folder: Path) -> None:
    path = next((folder / w for w in WEIGHTS if (folder / w).is_file()), None)
    if path is None:
        raise InputError(
            "The model's weights are missing.", where=str(folder), supported=" or ".join(WEIGHTS)
        )
    state = _read_state(path)
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    _check_names(state, expected, path)
    for name, shape in expected.items():
        _check_tensor(name, state[name], shape, path)
    weights = {name: state[name].to(torch.float32) for name in expected}
    module.load_state_dict(weights, assign=True)


def _read_state(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            "The weights cannot be read: the file is damaged, or holds more than tensors.",
            where=f"{path}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            supported="safetensors, or a PyTorch state_dict that weights_only accepts",
            hint="Download or save the checkpoint again, best as safetensors.",
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError("The weights' file does not hold a state_dict.", where=str(path))
    return state


def _check_names(state: Mapping[str, Tensor], expected: Mapping[str, Any], path: Path) -> None:
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or extra:
        listed = [f"missing: {', '.join(missing[:4])}"] if missing else []
        listed += [f"unknown: {', '.join(extra[:4])}"] if extra else []
        raise InputError(
            f"The weights' names do not fit the configuration "
            f"({len(missing)} missing, {len(extra)} unknown).",
            where=f"{path}; {'; '.join(listed)}",
            supported="the published names: model.embedder..., model.attentions..., classifier...",
        )


def _check_tensor(name: str, value: Tensor, shape: tuple[int, ...], path: Path) -> None:
    if tuple(value.shape) != shape:
        raise InputError(
            f"A weight has the shape {tuple(value.shape)} where {shape} is expected.",
            where=f"{path}, {name}",
            hint="Check config.json against the checkpoint.",
        )
    if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
        raise InputError(
            "A weight holds values that are not finite real numbers.", where=f"{path}, {name}"
        )


def _labels(config: Mapping[str, Any], folder: Path, count: int) -> tuple[str, ...]:
    """Read the labels' names: labels.txt, else id2label of config.json, else numbers."""
    named = config.get("id2label")
    if (folder / "labels.txt").is_file():
        labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
    elif isinstance(named, Mapping):
        labels = [str(named.get(str(i), i)) for i in range(len(named))]
    else:
        labels = [str(i) for i in range(count)]
    if len(labels) != count:
        raise InputError(
            f"There are {len(labels)} labels where num_labels is {count}.",
            where=str(folder),
            supported="one name a label in labels.txt, or id2label in config.json",
        )
    return tuple(labels)


def _calibration(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
