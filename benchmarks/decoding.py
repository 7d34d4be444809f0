"""What it costs to decode pictures in processes of their own: `add` with them, and with decoding in the program itself.

    python -m benchmarks.decoding [--pictures DIR] [--repeats N] [--out benchmarks/results]

The two take turns, so that other work on the machine slows both alike. Pictures are those of the sample catalog.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.report import circumstances, write
from sightline import Sightline, decoding, media
from sightline.decoding import DEFAULT, Decoded, Limits

SAMPLE = Path(__file__).parent.parent / "service" / "sample" / "images"


class Here:
    """Stands in for `decoding.Decoders`, and decodes in this process."""

    size = decoding.Decoders().size

    def begin(self) -> None:
        """There is nothing to begin."""

    def decode(self, data: bytes, *, source: str = "", limits: Limits = DEFAULT, thumbnail: bool = False) -> Decoded:
        pixels = media.decode(data, source=source, max_pixels=limits.pixels)
        return Decoded(pixels, media.thumbnail(pixels) if thumbnail else b"")


@contextmanager
def here() -> Iterator[None]:
    """Within this, pictures are decoded in this process."""
    with mock.patch.object(decoding, "shared", return_value=Here()):
        yield


def indexed(folder: Path) -> float:
    """Index a folder into a new collection; seconds."""
    with tempfile.TemporaryDirectory() as place, Sightline.open(place) as index:
        index.encoder.encode_queries([("warm",)])
        started = time.perf_counter()
        report = index.add(folder)
        assert not report.skipped, report.skipped
        return time.perf_counter() - started


def decoded(folder: Path) -> float:
    """Decode the pictures of a folder one after the other, with thumbnails; seconds."""
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
    decoding.shared().decode(pictures[0], thumbnail=True)
    started = time.perf_counter()
    for data in pictures:
        decoding.shared().decode(data, thumbnail=True)
    return time.perf_counter() - started


def compared(work: Callable[[Path], float], folder: Path, repeats: int) -> dict[str, float]:
    """Median seconds apart and here, and of their ratios, pair by pair, the median, least and most."""
    apart, inside = [], []
    for _ in range(repeats):
        apart.append(work(folder))
        with here():
            inside.append(work(folder))
    ratios = [one / other for one, other in zip(apart, inside, strict=True)]
    return {
        "apart_s": statistics.median(apart), "here_s": statistics.median(inside),
        "ratio": statistics.median(ratios), "ratio_least": min(ratios), "ratio_most": max(ratios),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description="What decoding apart costs.")
    parser.add_argument("--pictures", type=Path, default=SAMPLE, help="a folder of pictures and nothing else")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    given = parser.parse_args()
    figures: dict[str, Any] = {"circumstances": circumstances(encoder="starter")}
    figures["pictures"] = sum(1 for _ in given.pictures.iterdir())
    for name, work in (("decode", decoded), ("index", indexed)):
        figures[name] = compared(work, given.pictures, given.repeats)
    write(given.out, "decoding", figures)


if __name__ == "__main__":
    main()
