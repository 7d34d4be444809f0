"""Real, tiny vision-language models with random weights, one of each family that many people run.

Each is saved as its publisher's checkpoints are, with its own processor and a chat template in its form. They see
pictures and say nothing sensible: what they prove is that the family opens, and that its numbers are the right ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.mllms import tiny_vlm

QWEN = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
SEEN = "<|vision_start|><|image_pad|><|vision_end|>"
SMOL = ("<|endoftext|>", "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<global-img>", "<image>")


def chatml(end: str, seen: str) -> str:
    """A chat template: turns between marks, a picture where it stands."""
    return (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for p in m['content'] %}"
        "{% if p['type'] == 'image' %}" + seen + "{% elif p['type'] == 'text' %}{{ p['text'] }}{% endif %}"
        "{% endfor %}{% endif %}" + end + "\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: a vision tower whose layers reach into the first layers of the language model."""
    tf, torch = libraries()
    tokenizer = qwen_tokenizer(tf)
    config = tf.Qwen3VLConfig(
        text_config={**_qwen_text(len(tokenizer), interleaved=True), "head_dim": 16},
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 16,
            "out_hidden_size": 64, "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
        },
        image_token_id=5, video_token_id=6, vision_start_token_id=3, vision_end_token_id=4, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(3)
    processor = tf.Qwen3VLProcessor(
        image_processor=_qwen_images(tf, patch=16), tokenizer=tokenizer,
        video_processor=tf.Qwen3VLVideoProcessor(patch_size=16), chat_template=chatml("<|im_end|>", SEEN),
    )  # fmt: skip
    return saved(folder, tf.Qwen3VLForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: a vision tower with windowed attention."""
    tf, torch = libraries()
    tokenizer = qwen_tokenizer(tf)
    config = tf.Qwen2_5_VLConfig(
        text_config=_qwen_text(len(tokenizer), interleaved=False),
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "patch_size": 14,
            "out_hidden_size": 64, "window_size": 56, "fullatt_block_indexes": [1],
        },
        image_token_id=5, video_token_id=6, vision_start_token_id=3, vision_end_token_id=4, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(4)
    processor = tf.Qwen2_5_VLProcessor(
        image_processor=_qwen_images(tf, patch=14), tokenizer=tokenizer,
        video_processor=tf.Qwen2VLVideoProcessor(patch_size=14), chat_template=chatml("<|im_end|>", SEEN),
    )  # fmt: skip
    return saved(folder, tf.Qwen2_5_VLForConditionalGeneration(config), processor)


def smolvlm(folder: Path) -> Path:
    """SmolVLM, which is Idefics3: a SigLIP eye whose pixels are shuffled together, a Llama, pictures cut into tiles.

    SmolVLM2 differs in what it does with videos, and in that its processor wants the package num2words.
    """
    tf, torch = libraries()
    tokenizer = tf.PreTrainedTokenizerFast(
        tokenizer_object=tiny_vlm.tokenizer_of(SMOL), pad_token=SMOL[0], eos_token=SMOL[2], model_max_length=4096,
        additional_special_tokens=[*SMOL[1:]],
    )  # fmt: skip
    words = tf.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=4096, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    eye = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 64, "patch_size": 16,
    }  # fmt: skip
    config = tf.Idefics3Config(vision_config=eye, text_config=words, scale_factor=2, image_token_id=5, pad_token_id=0)
    torch.manual_seed(5)
    images = tf.Idefics3ImageProcessorPil(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    template = chatml("<end_of_utterance>", "<image>")
    processor = tf.Idefics3Processor(images, tokenizer=tokenizer, image_seq_len=4, chat_template=template)
    return saved(folder, tf.Idefics3ForConditionalGeneration(config), processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "LLaVA": tiny_vlm.build,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "SmolVLM": smolvlm,
}


def libraries() -> tuple[Any, Any]:
    """transformers and torch, with a torchvision that imports."""
    import torch

    from sightline.encoders.torchvision_repair import repair

    repair()
    import transformers

    return transformers, torch


def qwen_tokenizer(tf: Any) -> Any:
    """A tokenizer with Qwen's marks."""
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=tiny_vlm.tokenizer_of(QWEN), pad_token=QWEN[0], eos_token=QWEN[2], model_max_length=4096,
        additional_special_tokens=[*QWEN[1:]], image_token="<|image_pad|>", video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>", vision_end_token="<|vision_end|>",
    )  # fmt: skip


def saved(folder: Path, model: Any, processor: Any) -> Path:
    """The folder, with what `save_pretrained` puts there."""
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _qwen_text(vocabulary: int, *, interleaved: bool) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0}
    return {
        "vocab_size": vocabulary, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "rope_parameters": rope | ({"mrope_interleaved": True} if interleaved else {}), "tie_word_embeddings": True,
    }  # fmt: skip


def _qwen_images(tf: Any, *, patch: int) -> Any:
    sizes = {"shortest_edge": 64 * 64, "longest_edge": 128 * 128}  # pixels, as this family counts them
    return tf.Qwen2VLImageProcessorPil(patch_size=patch, size=sizes)
