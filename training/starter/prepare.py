"""Prepares everything that training reads: views and picture teacher, sentences and text teacher, drawn products.

Knows the order only; each step's work is in its own module. Takes about half an hour on two cores and 12 GB of disk.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.starter.prepare_pictures import prepare_pictures
from training.starter.prepare_rendered import prepare_rendered
from training.starter.prepare_texts import prepare_texts
from training.starter.sources import chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data tars")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches, outside the checkout")
    parser.add_argument("--views", type=int, default=4, help="crops a picture")
    parser.add_argument("--maps", type=int, default=3, help="views whose teacher maps are kept, 1.7 GB each")
    parser.add_argument("--practice", type=int, default=120_000, help="sentences composed for the text tower alone")
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--drawn", type=int, default=6_000, help="products drawn by our renderer")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only-open", action="store_true", help="leave out every source without an open licence")
    args = parser.parse_args()
    sources = chosen(args.only_open)
    prepare_pictures(args.data, args.work, args.views, args.maps, args.processes, sources=sources)
    prepare_texts(args.work, args.practice, args.vocabulary)
    prepare_rendered(args.work, args.drawn, args.processes)


if __name__ == "__main__":
    main()
