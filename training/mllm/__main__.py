"""`python -m training.mllm all …` makes the starter vision-language model; every step can be called alone, too.

Knows the order of the steps and their options; knows nothing of how they work. `all` skips what is there already and
goes on training where it stopped: first with the eye as it is, then, called with --eye-rate, with the eye.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from training.mllm.questions import SHARES


def draw(args: argparse.Namespace) -> None:
    """Draw products whose colours trade places."""
    from training.mllm import swaps

    swaps.draw(args.work, args.pairs, args.threads)


def eye(args: argparse.Namespace) -> None:
    """Make the stock eye of the starter's picture tower."""
    from training.mllm.eye import Pixels, fit_stem, starter_tower

    pictures = json.loads((args.starter / "pictures.json").read_text())
    rows = np.array([row for row, one in enumerate(pictures) if one["split"] == "train"])
    made = fit_stem(starter_tower(args.checkpoint), Pixels(args.starter, args.work), rows, args)
    torch.save(made.state_dict(), args.work / "eye.pt")


def mine(args: argparse.Namespace) -> None:
    """Find captions that the starter encoder takes for those of another photo."""
    from training.mllm.mining import mine_flickr

    mine_flickr(args.starter, args.checkpoint, args.work)


def train(args: argparse.Namespace) -> None:
    """Train for so many minutes, or go on."""
    from training.mllm.train import Training

    Training(args).run()


def all_steps(args: argparse.Namespace) -> None:
    """All of the above, as far as it is not done; then train."""
    args.work.mkdir(parents=True, exist_ok=True)
    for step, made in ((draw, "swaps.json"), (eye, "eye.pt"), (mine, "flickr_hard.json")):
        if not (args.work / made).exists():
            step(args)
    train(args)


def measure(args: argparse.Namespace) -> None:
    """Print the figures of the model as trained so far."""
    from benchmarks.reranking import figures
    from sightline.encoders import open_encoder
    from training.mllm.export import opened
    from training.mllm.measure import judge

    asked, encoder = judge(*opened(args.work, args.weights)), open_encoder("starter", threads=args.threads)
    found = figures(asked, encoder, args.data, pairs=args.pairs, captions=args.captions)
    print(json.dumps(found, indent=2))


def export(args: argparse.Namespace) -> None:
    """Write the model as a folder that AutoModelForImageTextToText opens, and onnxruntime without torch."""
    from training.mllm import graphs
    from training.mllm.export import opened
    from training.mllm.model import save

    model, tongue = opened(args.work, args.weights)
    save(model, tongue.tokenizer, args.out)
    graphs.write(model, args.out)
    print(f"{sum(file.stat().st_size for file in args.out.iterdir()) / 1e6:.2f} MB in {args.out}")


STEPS = {"draw": draw, "eye": eye, "mine": mine, "train": train, "all": all_steps, "measure": measure, "export": export}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.mllm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name, step in STEPS.items():
        own = steps.add_parser(name, help=step.__doc__)
        own.add_argument("--work", type=Path, required=True, help="folder of this model's caches and checkpoints")
        own.add_argument("--threads", type=int, default=2)
        own.add_argument("--seed", type=int, default=0)
        if name in ("eye", "mine", "train", "all"):
            own.add_argument("--starter", type=Path, required=True, help="folder of the starter encoder's caches")
        if name in ("eye", "mine", "all"):
            own.add_argument("--checkpoint", type=Path, required=True, help="the starter encoder's, from its training")
        if name in ("draw", "all"):
            own.add_argument("--pairs", type=int, default=3500)
        if name in ("eye", "all"):
            own.add_argument("--eye-minutes", type=float, default=15, help="for the eye's first convolution")
        if name in ("train", "all"):
            _training_options(own)
        if name in ("measure", "export"):
            own.add_argument("--weights", default="cooled", choices=("cooled", "last"))
    steps.choices["export"].add_argument("--out", type=Path, required=True)
    own = steps.choices["measure"]
    own.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    own.add_argument("--pairs", type=int, default=300)
    own.add_argument("--captions", type=int, default=400)
    return parser


def _training_options(own: argparse.ArgumentParser) -> None:
    own.add_argument("--minutes", type=float, default=110)
    own.add_argument("--steps", type=int, default=1_000_000)
    own.add_argument("--batch", type=int, default=32)
    own.add_argument("--rate", type=float, default=2e-3, help="of projector and decoder")
    own.add_argument("--eye-rate", type=float, default=0.0, help="above 0 the eye is trained, too, on fresh views")
    own.add_argument("--cool", type=float, default=0.25, help="share of the minutes over which the rate falls to 0")
    own.add_argument("--words", type=float, default=0.5, help="weight of captions and short answers")
    own.add_argument("--seen", type=float, default=0.5, help="weight of places naming the words of a true text")
    own.add_argument("--facets", type=float, default=0.5, help="weight of reading kind, pattern and colours off places")
    own.add_argument("--shares", type=_shares, default=SHARES, help="of the sources: swaps=0.6,grocery=0.4")
    own.add_argument("--vocabulary", type=int, default=3500)
    own.add_argument("--inner", type=int, default=512)
    own.add_argument("--layers", type=int, default=4)


def _shares(text: str) -> dict[str, float]:
    return {source: float(share) for source, share in (part.split("=") for part in text.split(","))}


def main() -> None:
    args = _parser().parse_args()
    torch.set_num_threads(args.threads)
    STEPS[args.step](args)


if __name__ == "__main__":
    main()
