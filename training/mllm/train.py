"""Trains projector and decoder on the eye's kept maps and, where it is told to, the eye with them.

Stops after so many minutes and goes on from there when called again. Knows lessons and the model; measures nothing.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from training.mllm.eye import CELL, Pixels, seen_map
from training.mllm.model import Size, build, even_out, learn_tokenizer
from training.mllm.packing import Facets, Tongue, named, pack, thought
from training.mllm.questions import Lessons, corpus
from training.starter.targets import jitter, to_input


class Maps:
    """The eye's maps (width, p, p) of every picture and view, made when first asked for and kept in a file."""

    def __init__(self, eye: Any, pixels: Pixels, folder: Path, side: int, views: int = 2) -> None:
        self.eye, self.pixels, self.side, self.views = eye, pixels, side, views
        shape = (len(pixels) * views, eye.config.hidden_sizes[-1], side // CELL, side // CELL)
        self.path, self.done_path = folder / "maps.npy", folder / "maps_done.npy"
        known = self.path.exists() and self.done_path.exists()
        if known and np.load(self.path, mmap_mode="r").shape != shape:
            known = False
        self.kept = np.lib.format.open_memmap(
            self.path, "r+" if known else "w+", np.float16, None if known else shape
        )  # fmt: skip
        self.done = np.load(self.done_path) if known else np.zeros(len(self.kept), bool)

    def of(self, rows: list[int], views: list[int]) -> Tensor:
        """(b, width, p, p) float32."""
        at = np.array(rows) * self.views + np.array(views) % self.views
        for start in range(0, len(new := np.unique(at[~self.done[at]])), 64):
            some = new[start : start + 64]
            shown = np.stack([self.pixels.of(int(i) // self.views, int(i) % self.views) for i in some])
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                self.kept[some] = seen_map(self.eye, to_input(shown, self.side)).half().numpy()
            self.done[some] = True
        return torch.from_numpy(self.kept[at]).float()

    def save(self) -> None:
        self.kept.flush()
        np.save(self.done_path, self.done)


class Training:
    """The model being trained, with everything needed to go on after an interruption."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.work = args, args.work
        self.lessons = Lessons(args.starter, args.work)
        self.tokenizer = tokenizer(args.work, self.lessons, args.vocabulary)
        self.tongue = Tongue(self.tokenizer)
        torch.manual_seed(args.seed)
        self.size = Size(vocabulary=args.vocabulary, inner=args.inner, layers=args.layers)
        self.model = build(self.tokenizer, self.size)
        self.model.set_attn_implementation("eager")  # with these masks, faster to train on a CPU than the fused kernel
        self.eye = self.model.model.vision_tower
        self.eye.load_state_dict(torch.load(args.work / "eye.pt"))
        self.eye = self.eye.to(memory_format=torch.channels_last)
        self.yes, self.no = (self.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
        seeing = {id(p) for p in self.eye.parameters()}
        self.doubt = torch.nn.Linear(self.size.width, 1)  # of a text's every word: is it true so far? Training only
        rows = [row for pool in self.lessons.pools.values() for row in pool]
        told = [self.lessons.facets(row) for row in rows]
        known = {facet: sorted({own[facet] for own in told if facet in own})
                 for facet in sorted({facet for own in told for facet in own})}  # fmt: skip
        self.facets = Facets(self.size.width, known)
        self.helpers = torch.nn.ModuleList([self.doubt, self.facets])
        rest = [p for p in [*self.model.parameters(), *self.helpers.parameters()] if id(p) not in seeing]
        groups = [{"params": rest, "top": args.rate}]
        if args.eye_rate:
            groups.append({"params": list(self.eye.parameters()), "top": args.eye_rate})
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.05)
        self.step, self.pictures = 0, 0
        self.resume()
        self.pixels = Pixels(args.starter, args.work)
        self.maps = None if args.eye_rate else Maps(self.eye, self.pixels, args.work, self.size.side)
        if not self.step:
            rng = Random(args.seed)
            maps = self.seen(self.lessons.choose(rng, min(256, 4 * args.batch), args.shares), rng)
            even_out(self.model, maps.detach().permute(0, 2, 3, 1).flatten(0, 2))

    def resume(self) -> None:
        """Take up the state that was saved last, where there is one; Adam starts anew where the eye joins."""
        path = self.work / "last.pt"
        if not path.exists():
            return
        kept = torch.load(path)
        self.model.load_state_dict(kept["model"])
        self.helpers.load_state_dict(kept["helpers"])
        self.step, self.pictures = kept["step"], kept["pictures"]
        if kept["live"] == bool(self.args.eye_rate):
            self.optimiser.load_state_dict(kept["optimiser"])
        print(f"goes on from step {self.step}, {self.pictures} pictures", flush=True)

    def save(self, name: str) -> None:
        counts = {"step": self.step, "pictures": self.pictures}
        kept = {"model": self.model.state_dict(), "size": asdict(self.size), **counts}
        if name == "last":
            kept |= {"optimiser": self.optimiser.state_dict(), "helpers": self.helpers.state_dict(),
                     "live": bool(self.args.eye_rate)}  # fmt: skip
        fresh = self.work / f"{name}.new"
        torch.save(kept, fresh)
        fresh.rename(self.work / f"{name}.pt")
        if self.maps is not None:
            self.maps.save()

    def seen(self, rows: list[int], rng: Random) -> Tensor:
        """The maps (b, width, p, p) of the pictures, some of them mirrored."""
        views = [rng.randrange(2) for _ in rows]
        if self.maps is not None:
            maps = self.maps.of(rows, views)
            return maps.flip(-1) if rng.random() < 0.5 else maps
        x = to_input(np.stack([self.pixels.of(row, view) for row, view in zip(rows, views, strict=True)]))
        return seen_map(self.eye, jitter(x)[0])

    def loss(self, rng: Random) -> tuple[Tensor, dict[str, float]]:
        rows = self.lessons.choose(rng, self.args.batch, self.args.shares)
        lessons = [self.lessons.of(row, rng) for row in rows]
        packed = pack(self.tongue, lessons, (self.size.side // CELL) ** 2)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.seen(rows, rng)
            states = thought(self.model, packed, maps)
            logits = self.model.lm_head(states[packed.rows, packed.places])
            doubts = self.doubt(states[packed.so_far[:, 0], packed.so_far[:, 1]]).flatten()
            facets = self.facets.loss(self.model, maps, [self.lessons.facets(row) for row in rows])
            seen = named(self.model, self.tongue, maps, [self.lessons.true_text(row, rng) for row in rows])
        each = fn.cross_entropy(logits.float(), packed.wanted, reduction="none")
        judged = packed.first & ((packed.wanted == self.yes) | (packed.wanted == self.no))
        match, words, heard = each[judged].mean(), each[~judged & ~packed.heard].mean(), each[packed.heard].mean()
        doubt = fn.binary_cross_entropy_with_logits(doubts.float(), packed.so_far[:, 2].float())
        right = (logits[judged][:, self.yes] > logits[judged][:, self.no]) == (packed.wanted[judged] == self.yes)
        drawn = torch.tensor([row >= len(self.lessons.pictures) for row in rows])[packed.rows[judged]]
        parts = {"match": match, "words": words, "heard": heard, "doubt": doubt, "seen": seen, "facets": facets,
                 "right": right.float().mean()}  # fmt: skip
        if drawn.any():
            parts["right_swaps"] = right[drawn].float().mean()
        whole = match + self.args.words * (words + heard) + doubt + self.args.facets * facets
        return whole + self.args.seen * seen, {name: part.item() for name, part in parts.items()}

    def run(self) -> None:
        args, rng = self.args, Random(self.args.seed + self.step)
        began, start = time.time(), self.step
        average: dict[str, float] = {}
        cooling = False
        while (spent := (time.time() - began) / 60) < args.minutes and self.step - start < args.steps:
            done = max(spent / args.minutes, (self.step - start) / args.steps)
            if done >= 1 - args.cool and not cooling:
                self.save("last")  # from here on the rate falls: the next session goes on from before
                cooling = True
            rate = min(1.0, (self.step - start + 1) / 60) * min(1.0, (1 - done) / max(args.cool, 1e-6))
            for group in self.optimiser.param_groups:
                group["lr"] = group["top"] * rate
            loss, told = self.loss(rng)
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            self.step += 1
            self.pictures += args.batch
            average = {k: 0.95 * average.get(k, v) + 0.05 * v for k, v in told.items()}
            if self.step % 25 == 0:
                said = " ".join(f"{name} {value:.3f}" for name, value in average.items())
                print(f"step {self.step} {time.time() - began:.0f}s {self.pictures} pictures {said}", flush=True)
            if self.step % 100 == 0 and not cooling:
                self.save("last")
        self.save("cooled")


def tokenizer(work: Path, lessons: Lessons, vocabulary: int) -> Any:
    """The tokenizer of a work folder, learned there once."""
    from transformers import PreTrainedTokenizerFast

    folder = work / "tokenizer"
    if not folder.exists():
        learn_tokenizer(corpus(lessons), vocabulary).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)
