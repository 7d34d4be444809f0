"""Real, tiny cross-encoders with random weights, saved as their publishers save them: one of words, one that sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.mllms.tiny_families import SEEN, libraries, qwen3_vl

WORDS = ["a red mug with a white handle", "green boots, colour: red", "no yes the picture of a dog on grass"] * 20
TOLD = "Given a search query, find what shows it."  # the instruction the model is told unless another is given
TEMPLATE = (
    "<|im_start|>system\nJudge whether the Document meets the Query. Answer yes or no.<|im_end|>\n<|im_start|>user\n"
    "{% set told = messages | selectattr('role', 'eq', 'system') | list %}"
    "<Instruct>: {{ told[0].content[0].text if told else 'Find.' }}\n"
    "{% for role, mark in (('query', '<Query>'), ('document', '<Document>')) %}{{ mark }}: "
    "{% for piece in (messages | selectattr('role', 'eq', role) | first).content %}"
    "{% if piece.type == 'image' %}"
    + SEEN
    + "{% elif piece.type == 'text' %}{{ piece.text }}{% endif %}{% endfor %}{{ '\\n' }}"
    "{% endfor %}<|im_end|>\n<|im_start|>assistant{{ '\\n' }}"
)


def of_words(folder: Path, *, labels: int = 1, head: bool = True) -> Path:
    """A BERT that judges pairs, as ms-marco-MiniLM is one; without a `head` it is an encoder and no cross-encoder."""
    tf, torch = libraries()
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces.train_from_iterator(WORDS, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special))
    pieces.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = tf.BertTokenizerFast(tokenizer_object=pieces, model_max_length=64)
    config = tf.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(1)
    model = (tf.BertForSequenceClassification if head else tf.BertModel)(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def that_sees(folder: Path) -> Path:
    """A Qwen3-VL that judges pairs by yes and no, laid out as Qwen3-VL-Reranker is for sentence-transformers."""
    tf, _ = libraries()
    qwen3_vl(folder)
    processor: Any = tf.AutoProcessor.from_pretrained(folder)
    processor.chat_template = TEMPLATE
    processor.save_pretrained(folder)
    yes, no = processor.tokenizer.convert_tokens_to_ids(["yes", "no"])
    takes = {"method": "forward", "method_output_name": "logits"}
    read, judge = "base.modules.transformer.Transformer", "cross_encoder.modules.logit_score.LogitScore"
    _write(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": f"sentence_transformers.{read}"},
        {"idx": 1, "name": "1", "path": "1_LogitScore", "type": f"sentence_transformers.{judge}"},
    ])  # fmt: skip
    _write(folder / "sentence_bert_config.json", {
        "transformer_task": "any-to-any", "module_output_name": "causal_logits",
        "modality_config": {"text": takes, "image": takes, "message": takes | {"format": "structured"}},
    })  # fmt: skip
    _write(folder / "1_LogitScore" / "config.json", {"true_token_id": yes, "false_token_id": no})
    _write(folder / "config_sentence_transformers.json", {
        "model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity",
        "prompts": {"query": TOLD}, "default_prompt_name": "query",
    })  # fmt: skip
    return folder


def _write(path: Path, data: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data))
