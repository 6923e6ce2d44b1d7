"""What the tests of the whole flow share: types, shapes, and folders of random models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from tvm_embbert.compiled import CompiledModel
from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification

Compile = Callable[[str], CompiledModel]
SHAPES = [
    EmbBertConfig(40, 8, 8, 4, 1, 1, 1, 2),
    EmbBertConfig(64, 33, 20, 6, 1, 3, 2, 5),
    EmbBertConfig(100, 64, 48, 12, 2, 8, 3, 11),
    EmbBertConfig(300, 16, 30, 5, 1, 32, 1, 3),
]


def model_folder(config: EmbBertConfig, folder: Path) -> Path:
    """Write a model with random weights and a tokenizer of single words."""
    torch.manual_seed(config.vocab_size)
    module = EmbBertForSequenceClassification(config)
    for name, parameter in module.named_parameters():
        spread = 0.2 if "lambda" in name else 1.0 / parameter.shape[-1] ** 0.5
        torch.nn.init.normal_(parameter, 1.0 if "norms" in name else 0.0, spread)
    folder.mkdir(parents=True)
    save_file(module.state_dict(), folder / "model.safetensors")
    sizes = {name: getattr(config, name) for name in EmbBertConfig.__dataclass_fields__}
    text = json.dumps({"model_type": "EmbBERT", **sizes})
    (folder / "config.json").write_text(text, encoding="utf-8")
    names = ["[PAD]", "[UNK]", "[CLS]", "[MASK]", "[SEP]"]
    words = names + [f"w{i}" for i in range(len(names), config.vocab_size)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
