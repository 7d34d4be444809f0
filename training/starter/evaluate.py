"""Measures the shipped ONNX towers on held-out pictures, read from the tars in place; prints and writes JSON.

Knows the artefact files and the sources' held-out splits; knows nothing of torch or of how the towers were trained.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

from training.renderer import captions, render, sample_product
from training.starter.sources import Picture, read, unseen

FILES = Path("sightline/encoders/starter")
SHOP = Path("service/sample")
JUDGED = Path("benchmarks/judged/sample_pictures.json")
CLOTHING = {  # how a shopper says each label
    "T-Shirt": "t-shirt", "Longsleeve": "long sleeve shirt", "Pants": "pants", "Shoes": "shoes", "Shirt": "shirt",
    "Dress": "dress", "Shorts": "shorts", "Outwear": "jacket", "Hat": "hat", "Skirt": "skirt", "Polo": "polo shirt",
    "Undershirt": "undershirt", "Blazer": "blazer", "Hoodie": "hoodie", "Body": "baby bodysuit", "Top": "top",
    "Blouse": "blouse",
}  # fmt: skip


class Starter:
    """The shipped pair of towers, run as the product runs them."""

    def __init__(self, files: Path, threads: int) -> None:
        self.config = json.loads((files / "config.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.image, self.text = (
            onnxruntime.InferenceSession(str(files / name), options, providers=["CPUExecutionProvider"])
            for name in ("image.onnx", "text.onnx")
        )
        self.tokenizer = Tokenizer.from_file(str(files / "tokenizer.json"))
        self.mean = np.array(self.config["image"]["mean"], np.float32)
        self.std = np.array(self.config["image"]["std"], np.float32)

    def pixels(self, encoded: bytes) -> np.ndarray:
        """Return one picture as network input (3, S, S)."""
        side = self.config["image"]["size"]
        image = Image.open(io.BytesIO(encoded)).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        return ((np.asarray(image, np.float32) / 255 - self.mean) / self.std).transpose(2, 0, 1)

    def images(self, encoded: list[bytes], batch: int = 32) -> np.ndarray:
        """Return (n, dim) unit rows of encoded pictures."""
        rows = []
        for start in range(0, len(encoded), batch):
            pixels = np.stack([self.pixels(one) for one in encoded[start : start + batch]])
            rows.append(self.image.run(["vectors"], {"pixels": pixels})[0])
        return np.concatenate(rows)

    def texts(self, texts: list[str], batch: int = 64) -> np.ndarray:
        """Return (n, dim) unit rows of texts, each cut at the context length."""
        context = self.config["text"]["context"]
        rows = []
        for start in range(0, len(texts), batch):
            ids = [one.ids for one in self.tokenizer.encode_batch(texts[start : start + batch])]
            ids = [one if len(one) <= context else [*one[: context - 1], one[-1]] for one in ids]
            tokens = np.zeros((len(ids), max(map(len, ids))), np.int64)
            for row, one in enumerate(ids):
                tokens[row, : len(one)] = one
            rows.append(self.text.run(["vectors"], {"tokens": tokens})[0])
        return np.concatenate(rows)


def recall(queries: np.ndarray, keys: np.ndarray, wanted: np.ndarray, ks: tuple[int, ...]) -> dict[str, float]:
    """Return the share of queries (q, dim) that find a wanted key, by bool (q, n), among their first k."""
    return recall_by(queries @ keys.T, wanted, ks)


def recall_by(scores: np.ndarray, wanted: np.ndarray, ks: tuple[int, ...]) -> dict[str, float]:
    """The same from scores (q, n), higher is nearer."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(ks)]
    found = np.take_along_axis(wanted, order, axis=1)
    return {f"R@{k}": round(float(found[:, :k].any(1).mean()), 4) for k in ks}


def held_out(data: Path, source: str, split: str = "val") -> tuple[list[Picture], list[bytes]]:
    pairs = [(p, encoded) for p, encoded in read(data, (source,)) if p.split == split and p.source == source]
    return [p for p, _ in pairs], [encoded for _, encoded in pairs]


def flickr8k(starter: Starter, data: Path) -> dict[str, Any]:
    pictures, encoded = held_out(data, "flickr8k")
    x = starter.images(encoded)
    y = starter.texts([caption for p in pictures for caption in p.labels["captions"]])
    wanted = np.arange(len(y))[:, None] // 5 == np.arange(len(x))[None]
    n = len(x)
    return {
        "photos": n, "captions": len(y),
        "text_to_image": recall(y, x, wanted, (1, 5, 10)), "image_to_text": recall(x, y, wanted.T, (1, 5, 10)),
        "chance": {"text_to_image": {f"R@{k}": round(k / n, 4) for k in (1, 5, 10)},
                   "image_to_text": {f"R@{k}": round(1 - (1 - 5 / len(y)) ** k, 4) for k in (1, 5, 10)}},
    }  # fmt: skip


def grocery(starter: Starter, data: Path) -> dict[str, Any]:
    photos, encoded = held_out(data, "grocery")
    shelf = [(p, e) for p, e in read(data, ("grocery",)) if p.source == "grocery_iconic"]
    x, icons = starter.images(encoded), starter.images([e for _, e in shelf])
    fine = np.array([p.labels["fine"] for p in photos])
    coarse = np.array([p.labels["coarse"] for p in photos])
    wanted = fine[:, None] == np.array([p.labels["fine"] for p, _ in shelf])[None]
    out: dict[str, Any] = {
        "photos": len(x), "products": len(icons), "photo_to_product": recall(x, icons, wanted, (1, 5)),
        "chance": {"R@1": round(1 / len(icons), 4), "R@5": round(5 / len(icons), 4)},
    }  # fmt: skip
    names = sorted(set(coarse))
    for form in ("{}", "a photo of {}"):
        y = starter.texts([form.format(name.replace("-", " ").lower()) for name in names])
        order = np.argsort(-(y @ x.T), axis=1, kind="stable")[:, :10]
        right = coarse[order] == np.array(names)[:, None]  # (classes, 10)
        total = np.array([(coarse == name).sum() for name in names])
        reachable = np.minimum(total, 10)
        ready = total >= 10
        out[f"text_to_photo '{form}'"] = {
            "classes": len(names),
            "precision@10": round(float(right.mean()), 4),
            "best_possible": round(float((reachable / 10).mean()), 4),
            "precision@min(10, photos of the class)": round(
                float(np.mean([row[:r].mean() for row, r in zip(right, reachable, strict=True)])), 4
            ),
            "classes_with_10_photos": int(ready.sum()),
            "chance": round(float(np.mean(total / len(x))), 4),
        }
        if ready.any():
            out[f"text_to_photo '{form}'"] |= {
                "precision@10 of those": round(float(right[ready].mean()), 4),
                "chance of those": round(float(np.mean(total[ready] / len(x))), 4),
            }
    return out


def clothing(starter: Starter, data: Path) -> dict[str, Any]:
    photos, encoded = held_out(data, "clothing")
    kept = [i for i, p in enumerate(photos) if p.labels["label"] is not None]
    x = starter.images([encoded[i] for i in kept])
    labels = list(CLOTHING)
    truth = np.array([labels.index(photos[i].labels["label"]) for i in kept])
    y = starter.texts([f"a photo of a {CLOTHING[label]}" for label in labels])
    right = (x @ y.T).argmax(1) == truth
    return {
        "photos": len(x), "classes": len(labels), "accuracy": round(float(right.mean()), 4),
        "chance": round(1 / len(labels), 4),
        "largest_class": round(float(np.bincount(truth).max() / len(truth)), 4),
    }  # fmt: skip


def imagenette(starter: Starter, data: Path) -> dict[str, Any]:
    photos, encoded = held_out(data, "imagenette")
    x = starter.images(encoded)
    labels = sorted({p.labels["label"] for p in photos})
    truth = np.array([labels.index(p.labels["label"]) for p in photos])
    right = (x @ starter.texts([f"a photo of a {label}" for label in labels]).T).argmax(1) == truth
    return {"photos": len(x), "classes": len(labels), "accuracy": round(float(right.mean()), 4),
            "chance": round(1 / len(labels), 4)}  # fmt: skip


def fashion(starter: Starter, data: Path) -> dict[str, Any]:
    """Held-out studio pictures, asked for by colour and article in words, each pair that has at least one picture."""
    photos, encoded = held_out(data, "fashion")
    x = starter.images(encoded)
    pairs = np.array([f"{p.labels['baseColour']} {p.labels['articleType']}".lower() for p in photos])
    queries = sorted(set(pairs))
    return {
        "pictures": len(x), "queries": len(queries),
        "colour_and_article": recall(starter.texts(queries), x, np.array(queries)[:, None] == pairs[None], (1, 5, 10)),
        "chance R@5": round(float(np.mean([1 - (1 - (pairs == q).mean()) ** 5 for q in queries])), 4),
    }  # fmt: skip


def rendered(starter: Starter, count: int) -> dict[str, Any]:
    """Newly drawn products, asked for as "a <colour> <kind>"; pairs never trained on are counted apart."""
    products = [sample_product(seed) for seed in range(900_000, 900_000 + count)]
    rows = []
    for product in products:
        buffer = io.BytesIO()
        render(product, seed=1).save(buffer, "PNG")
        rows.append(buffer.getvalue())
    x = starter.images(rows)
    names = np.array([f"{p.colours[0]} {p.kind}" for p in products])
    said = sorted({name for name, p in zip(names, products, strict=True) if any(name in c for c in captions(p))})
    fresh = {f"{p.colours[0]} {p.kind}" for p in products if unseen(p.kind, p.colours[0])}
    out: dict[str, Any] = {"pictures": count}
    for title, queries in (("unseen_combinations", [q for q in said if q in fresh]),
                           ("seen_combinations", [q for q in said if q not in fresh])):  # fmt: skip
        y = starter.texts([f"{'an' if q[0] in 'aeiou' else 'a'} {q}" for q in queries])
        wanted = np.array(queries)[:, None] == names[None]
        out[title] = {"queries": len(queries), **recall(y, x, wanted, (1, 5, 10)),
                      "chance R@5": round(float(np.mean(1 - (1 - wanted.mean(1)) ** 5)), 4)}  # fmt: skip
    return out


def sample(starter: Starter) -> dict[str, Any]:
    """The sample catalog by its pictures alone, asked in sentences written by hand; an item counts by its best picture.

    A sentence names the thing or describes it by look and use; its attributes are ones that drawn training products
    show together or not. No sentence has the form of a training sentence.
    """
    items = [json.loads(line) for line in (SHOP / "catalog.jsonl").read_text().splitlines()]
    ids, owner = [item["id"] for item in items], np.repeat(np.arange(len(items)), [len(i["images"]) for i in items])
    x = starter.images([(SHOP / image).read_bytes() for item in items for image in item["images"]])
    judged = json.loads(JUDGED.read_text())
    best = np.full((len(judged), len(items)), -np.inf, np.float32)
    near = starter.texts([row["query"] for row in judged]) @ x.T  # (q, pictures)
    for column, item in enumerate(owner):
        best[:, item] = np.maximum(best[:, item], near[:, column])
    wanted = np.stack([np.isin(ids, row["relevant"]) for row in judged])
    out: dict[str, Any] = {"items": len(items), "pictures": len(x)}
    for form in ("named", "described"):
        for combination, shown in (("unseen", False), ("seen", True)):
            some = [row["form"] == form and row["shown_in_training"] == shown for row in judged]
            out[f"{form}, {combination} combinations"] = {
                "queries": sum(some), **recall_by(best[some], wanted[some], (1, 5, 10)),
                "chance R@5": round(float(np.mean(1 - (1 - wanted[some].mean(1)) ** 5)), 4),
            }  # fmt: skip
    return out


def speed(files: Path) -> dict[str, Any]:
    """Median milliseconds on one thread: a picture from its 320 px WebP file and from the tensor on, a short query."""
    starter = Starter(files, threads=1)
    encoded = next((SHOP / "images").glob("*.webp")).read_bytes()
    pixels = starter.pixels(encoded)[None]
    measured: dict[str, Callable[[], object]] = {
        "image_from_file_ms": lambda: starter.images([encoded]),
        "image_ms": lambda: starter.image.run(["vectors"], {"pixels": pixels}),
        "query_ms": lambda: starter.texts(["a black dog running through the snow"]),
    }
    out: dict[str, Any] = {}
    for name, call in measured.items():
        spent = []
        for _ in range(60):
            began = time.perf_counter()
            call()
            spent.append((time.perf_counter() - began) * 1e3)
        out[name] = round(statistics.median(spent), 2)
    return out | {"cores": os.cpu_count()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data tars")
    parser.add_argument("--files", type=Path, default=FILES)
    parser.add_argument("--out", type=Path, help="where to write the JSON, too")
    parser.add_argument("--rendered", type=int, default=1000, help="products to draw and search; 0 leaves them out")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    starter = Starter(args.files, args.threads)
    figures: dict[str, Any] = {
        measure.__name__: measure(starter, args.data)
        for measure in (flickr8k, grocery, clothing, imagenette, fashion)
        if (args.data / f"{measure.__name__}.tar").is_file()
    }
    if args.rendered:
        figures["rendered"] = rendered(starter, args.rendered)
    figures["sample"] = sample(starter)
    figures["speed_one_thread"] = speed(args.files)
    shipped = ("image.onnx", "text.onnx", "tokenizer.json")
    figures["megabytes"] = round(sum((args.files / name).stat().st_size for name in shipped) / 1e6, 2)
    text = json.dumps(figures, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
