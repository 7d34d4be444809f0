"""Vectors to measure stores with: real ones, grown beyond their number, and synthetic clusters; and what is nearest.

Does not know any store: the truth that searches are held to is counted here by numpy, over every vector.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.types import PartHit, Vectors

BATCH = 5000
PROBES = 200  # queries of each kind
K = 10
SEED = 11
CLUSTER = 50  # vectors a cluster has on average
SPREAD = 0.8  # length of the noise in a cluster, as a share of its centre's
GAP = 0.6  # how far all texts lie from all pictures, likewise
SLACK = 1e-5  # of equal pictures it does not matter which is found
GROWN = 0.5  # length of the noise around a real picture, as a share of the picture's


@dataclass(frozen=True, slots=True)
class Made:
    """What a collection of `size` vectors is made of; `real` are (n, dim) pictures and (m, dim) captions and titles."""

    size: int
    dim: int
    real: tuple[Vectors, Vectors] | None
    clusters: bool  # without real ones: all of it; with them: every other vector

    @property
    def name(self) -> str:
        kinds = ([] if self.real is None else ["real"]) + (["clusters"] if self.clusters else [])
        return f"{'-'.join(kinds)}-{self.dim}-{self.size}"

    def pictures(self) -> Iterator[Vectors]:
        """(n, dim) of the collection, some thousands at a time, the same ones each time."""
        rng = np.random.default_rng(SEED)
        for start in range(0, self.size, BATCH):
            at = np.arange(start, min(start + BATCH, self.size))
            if self.real is None:
                yield self._clustered(rng, len(at))
            elif not self.clusters:
                yield self._grown(rng, at)
            else:
                rows = self._grown(rng, at // 2)
                rows[1::2] = self._clustered(rng, len(rows[1::2]))
                yield rows

    def texts(self) -> dict[str, Vectors]:
        """(q, dim) text queries by what they are: of other texts than any stored, or off the clusters by one step."""
        rng, found = np.random.default_rng(SEED + 2), {}
        if self.real is not None:
            chosen = rng.choice(len(self.real[1]), PROBES, replace=False)
            found["captions"] = np.ascontiguousarray(self.real[1][chosen])
        if self.clusters:
            centres = self._centres()
            near = centres[rng.integers(0, len(centres), PROBES)]
            off = _noise(rng, (1, self.dim), GAP) + _noise(rng, (PROBES, self.dim), SPREAD / 2)
            found["texts off clusters"] = unit(near + off)
        return found

    def _grown(self, rng: np.random.Generator, at: np.ndarray) -> Vectors:
        """The real pictures of these numbers; beyond their number, with noise around each."""
        assert self.real is not None
        there = self.real[0]
        noise = np.where(at[:, None] < len(there), 0, _noise(rng, (len(at), self.dim), GROWN))
        return unit(there[at % len(there)] + noise.astype(np.float32))

    def _clustered(self, rng: np.random.Generator, n: int) -> Vectors:
        centres = self._centres()
        return unit(centres[rng.integers(0, len(centres), n)] + _noise(rng, (n, self.dim), SPREAD))

    def _centres(self) -> Vectors:
        n = max(20, self.size // CLUSTER)
        return unit(_noise(np.random.default_rng(SEED + 1), (n, self.dim), 1))


def arguments(description: str | None, sizes: list[int]) -> argparse.ArgumentParser:
    """What every command asks that measures with these vectors."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=sizes)
    parser.add_argument("--dim", type=int, default=256, help="numbers of a vector")
    parser.add_argument("--mixed", action="store_true", help="every other vector of the clusters, with --data")
    parser.add_argument("--data", type=Path, help="folder that holds flickr8k.tar and fashion.tar")
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--keep", type=Path, help="folder for vectors and collections")
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    return parser


def prepared(asked: argparse.Namespace) -> Iterator[tuple[Made, Path]]:
    """Each size that was asked for, and the folder its vectors are in; of --keep, or gone at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        real = turned(embedded(asked.data, asked.encoder, work), asked.dim) if asked.data else None
        for size in asked.sizes:
            made = Made(size, real[0].shape[1] if real else asked.dim, real, asked.mixed or not real)
            prepare(work / made.name, made)
            yield made, work / made.name


def prepare(folder: Path, made: Made) -> None:
    """Pictures as one file, queries, and the score of the last that each should find; kept for the next run."""
    if (folder / "truth.npz").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.float32, (made.size, made.dim))
    for number, batch in enumerate(made.pictures()):
        rows[number * BATCH : number * BATCH + len(batch)] = batch
    rows.flush()
    own = np.random.default_rng(SEED + 3).choice(made.size, PROBES, replace=False)
    texts = made.texts()
    queries = texts | {"pictures": np.array(rows[own])}
    mixed = np.stack(list(texts.values()), axis=1).reshape(-1, made.dim)  # of each kind as many
    np.save(folder / "texts.npy", mixed[:PROBES])
    np.savez(folder / "queries.npz", **queries)
    least = {name: _least(rows, each, K + (name == "pictures")) for name, each in queries.items()}
    np.savez(folder / "truth.npz", **least)


def queries_of(folder: Path) -> dict[str, Vectors]:
    """(q, dim) queries by what they are; "pictures" are stored ones."""
    return dict(np.load(folder / "queries.npz"))


def recall_apart(folder: Path, search: Callable[[Vectors, int], list[list[PartHit]]]) -> dict[str, float]:
    """Mean recall@10 by kind of query; a picture itself, which is always found, is not counted."""
    least, told = np.load(folder / "truth.npz"), {}
    for name, queries in queries_of(folder).items():
        own = int(name == "pictures")
        hits = search(queries, K + own)
        found = [sum(hit.score >= lowest - SLACK for hit in row) for row, lowest in zip(hits, least[name], strict=True)]
        told[name] = round((float(np.mean(found)) - own) / K, 4)
    return told


def _least(rows: Vectors, queries: Vectors, k: int) -> Vectors:
    """(q,) the k-th best score of each query."""
    best = np.full((len(queries), k), -2, np.float32)
    for start in range(0, len(rows), 4 * BATCH):
        scores = np.hstack([best, queries @ np.asarray(rows[start : start + 4 * BATCH]).T])
        best = np.partition(scores, -k, axis=1)[:, -k:]
    found: Vectors = best.min(axis=1)
    return found


def turned(real: tuple[Vectors, Vectors], dim: int) -> tuple[Vectors, Vectors]:
    """The same vectors in `dim` numbers where that is more: a turn keeps every cosine, and no number stays at 0."""
    width = real[0].shape[1]
    if dim <= width:
        return real
    columns = np.linalg.qr(np.random.default_rng(SEED + 4).standard_normal((dim, width)))[0]  # (dim, width)
    return unit(real[0] @ columns.T), unit(real[1] @ columns.T)


def embedded(data: Path, encoder: str, work: Path) -> tuple[Vectors, Vectors]:
    """(n, dim) pictures and (m, dim) captions and titles of flickr8k.tar and fashion.tar, embedded once."""
    kept = work / f"embedded-{encoder.replace('/', '_').replace(':', '_')}.npz"
    if not kept.is_file():
        from sightline import media
        from sightline.encoders import open_encoder

        opened = open_encoder(encoder, threads=1)
        pictures, texts = [], []
        for content in _contents(data):
            if isinstance(content, str):
                texts.append(content)
            else:
                pictures.append(media.decode(content))
        both = [
            np.vstack([of([(one,) for one in contents[at : at + 64]]) for at in range(0, len(contents), 64)])
            for of, contents in ((opened.encode_documents, pictures), (opened.encode_queries, texts))
        ]
        np.savez(kept, pictures=both[0], texts=both[1])
    read = np.load(kept)
    return read["pictures"], read["texts"]


def unit(rows: Vectors) -> Vectors:
    """Rows of length 1."""
    found: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def _noise(rng: np.random.Generator, shape: tuple[int, int], length: float) -> Vectors:
    found: Vectors = (rng.standard_normal(shape) * length / np.sqrt(shape[1])).astype(np.float32)
    return found


def _contents(data: Path) -> Iterator[str | bytes]:
    with tarfile.open(data / "flickr8k.tar") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) and member.name.endswith(".webp"):
                yield file.read()
            elif file and member.name.endswith("captions.jsonl"):
                captions = [one for row in map(json.loads, file) for one in row["captions"]]
                yield from captions[:6000]
    with tarfile.open(data / "fashion.tar") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) and member.name.endswith(".webp"):
                yield file.read()
            elif file and member.name.endswith("catalog.jsonl"):
                yield from [json.loads(row)["title"] for row in file][:3000]
