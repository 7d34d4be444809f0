"""The model: a residual eye, a projector and a small Llama, as one stock `fast_vlm` of `transformers`; its tokenizer.

Knows shapes and files; knows nothing of training. What is saved opens by AutoModelForImageTextToText and AutoProcessor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.encoders.torchvision_repair import repair
from training.mllm.eye import CELL, SIDE
from training.starter.towers import MEAN, STD

PAD, BOS, EOS, IMAGE = "<pad>", "<s>", "</s>", "<image>"
SPECIAL = [PAD, BOS, EOS, IMAGE]
CHAT = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for p in m['content'] %}{{ p['text'] }}{% endfor %}"
    "{% endif %}</s>{% else %}{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for p in m['content'] %}{% if p['type'] in ('image', 'image_url') %}<image>{% endif %}{% endfor %}"
    "{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}{% endif %}{{ '\n' }}"
    "{% endif %}{% endfor %}"
)


@dataclass(frozen=True, slots=True)
class Size:
    """What decides the number of weights; the eye must be as wide at its end as the starter's tower there."""

    eye_widths: tuple[int, ...] = (64, 128, 256)
    eye_depths: tuple[int, ...] = (1, 2, 4)
    side: int = SIDE
    vocabulary: int = 3500
    width: int = 256
    inner: int = 512
    layers: int = 4
    heads: int = 4


def learn_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A lower-case byte-level BPE; "yes" and "no" are one token each, with and without a space before them."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    repair()
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    bpe.train_from_iterator([*texts, *["yes", "no", " yes", " no"] * 50], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=PAD, bos_token=BOS, eos_token=EOS, model_max_length=1024
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def build(tokenizer: Any, size: Size | None = None) -> Any:
    """A new `FastVlmForConditionalGeneration` with random weights."""
    repair()
    import transformers as tf

    size = size or Size()
    places = (size.side // CELL) ** 2
    vision = tf.ResNetConfig(
        embedding_size=size.eye_widths[0], hidden_sizes=list(size.eye_widths), depths=list(size.eye_depths),
        layer_type="basic", hidden_act="relu",
    )  # fmt: skip
    vision.hidden_size = size.eye_widths[-1]  # what the projector is told
    words = tf.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=size.width, intermediate_size=size.inner,
        num_hidden_layers=size.layers, num_attention_heads=size.heads, num_key_value_heads=size.heads,
        max_position_embeddings=1024, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    config = tf.FastVlmConfig(
        vision_config=vision, text_config=words, image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=places, tie_word_embeddings=True,
    )  # fmt: skip
    model = tf.FastVlmForConditionalGeneration(config)
    model.generation_config.update(
        do_sample=False, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id
    )
    return model.eval()


def even_out(model: Any, states: Any) -> None:
    """Let the projector begin by whitening what the eye sees, given places (n, width) of many pictures.

    An eye's numbers are far from zero and much alike in all pictures. Fed on as they are, their common part drowns what
    tells pictures apart, and the decoder learns to look away.
    """
    import torch

    mean = states.mean(0)
    spread, axes = torch.linalg.eigh(torch.cov((states - mean).T))
    white = axes / (spread.clamp(min=0) + 0.02 * spread.mean()).sqrt()  # (width, width), a column a direction
    projector = model.model.multi_modal_projector
    with torch.no_grad():
        turn = torch.nn.init.orthogonal_(torch.empty(projector.linear_1.out_features, len(mean)))
        projector.linear_1.weight.copy_(turn @ white.T)
        projector.linear_1.bias.copy_(-(turn @ white.T) @ mean)
        torch.nn.init.orthogonal_(projector.linear_2.weight, gain=0.3)
        projector.linear_2.bias.zero_()


def processor(tokenizer: Any, side: int = SIDE) -> Any:
    """What turns pictures and words into the model's input: the whole picture squashed to a square, bicubic."""
    repair()
    import transformers as tf

    eye = tf.SiglipImageProcessorPil(
        size={"height": side, "width": side}, resample=3, image_mean=list(MEAN), image_std=list(STD)
    )
    return tf.LlavaProcessor(
        image_processor=eye, tokenizer=tokenizer, patch_size=CELL, vision_feature_select_strategy="full",
        chat_template=CHAT, image_token=IMAGE, num_additional_image_tokens=0,
    )  # fmt: skip


def save(model: Any, tokenizer: Any, folder: Path, *, half: bool = True) -> None:
    """Write the model, its tokenizer and its processor; half precision halves the file and costs no quality here."""
    import copy

    side = int(model.config.image_seq_length**0.5) * CELL
    kept = copy.deepcopy(model).half() if half else model
    kept.save_pretrained(folder)
    processor(tokenizer, side).save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # weights are written readable by their owner alone
