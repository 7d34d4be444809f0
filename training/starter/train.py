"""Trains both towers at once: mimic the teachers, land where their heads point, and match pictures with sentences.

Knows the caches, the heads and the towers; knows nothing of files that ship. The learning rate follows the clock
(`--minutes`), so a busy machine takes fewer steps but ends the same way. Run again with `--resume` to go on. Two
processes of one thread each share every step: threads that spin at barriers crawl when another program wants a core.
"""

from __future__ import annotations

import argparse
import copy
import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from training.starter import batches
from training.starter.losses import bank_loss, masked_loss, mimic, mimic_map, recall
from training.starter.prepare_texts import CONTEXT
from training.starter.targets import Targets, side_at, to_input
from training.starter.towers import DIM, ImageTower, TextTower


class Student(nn.Module):
    """Both towers, and the projections to the teachers' widths that only training needs."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.image = ImageTower()
        self.text = TextTower(vocabulary, CONTEXT)
        self.to_image_teacher = nn.Linear(1024, 1024)
        self.to_text_teacher = nn.Linear(256, 384)
        self.to_early_map, self.to_late_map = nn.Conv2d(256, 1024, 1), nn.Conv2d(1024, 1024, 1)
        self.scale = nn.Parameter(torch.tensor(np.log(20.0), dtype=torch.float32))
        self.class_scale = nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))


class Meeting:
    """Where the processes of a run meet once a step: their gradients, rank 0's clock, and the shop's vectors."""

    def __init__(self, ranks: int, parameters: int, shop: int) -> None:
        self.ranks = ranks
        self.gradients = torch.zeros(ranks, parameters).share_memory_()
        self.clock = torch.zeros(2, dtype=torch.float64).share_memory_()  # seconds spent; 1 when asked to stop
        self.shop = torch.zeros(shop, DIM).share_memory_()
        self.barrier = torch.multiprocessing.get_context("spawn").Barrier(ranks)

    def average(self, parameters: list[nn.Parameter], rank: int) -> None:
        """Put the mean of all ranks' gradients into `parameters`, the same bits on every rank."""
        if self.ranks == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None], out=self.gradients[rank])
        self.barrier.wait()
        mean = self.gradients.mean(0)
        self.barrier.wait()
        for parameter, part in zip(parameters, mean.split([p.numel() for p in parameters]), strict=True):
            assert parameter.grad is not None
            parameter.grad.copy_(part.view(parameter.shape))


class Run:
    """One training run: what it draws from, what it learns, and how it reports."""

    def __init__(self, args: argparse.Namespace, rank: int, meeting: Meeting) -> None:
        self.args, self.rank, self.meeting = args, rank, meeting
        self.caches = batches.load(args.work)
        self.sampler = batches.Sampler(self.caches, args.seed + 1000 * rank)
        self.targets = Targets(args.work, args.views)
        self.vocabulary = len(json.loads((args.work / "tokenizer.json").read_text())["model"]["vocab"])
        self.student = Student(self.vocabulary).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.student).eval()  # kept by rank 0 alone
        plain = [p for p in self.student.parameters() if p.ndim >= 2]
        other = [p for p in self.student.parameters() if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [{"params": plain, "weight_decay": args.decay}, {"params": other, "weight_decay": 0.0}],
            lr=args.rate, betas=(0.9, 0.98), fused=True,
        )  # fmt: skip
        self.step, self.seen, self.spent_s = 0, 0, 0.0
        self.iconic = np.flatnonzero(self.caches.sources == "grocery_iconic")
        pictures = json.loads((args.work / "pictures.json").read_text())
        self.fine_needs = np.full((len(self.iconic), batches.MAX_NEEDS), -2, np.int32)  # a product's own class
        self.fine_needs[:, 0] = [self.caches.fact_ids[f"fine:{pictures[i]['labels']['fine']}"] for i in self.iconic]
        self.dev = dev_set(args.work)

    def as_picture_teacher(self, features: Tensor) -> Tensor:
        return self.student.to_image_teacher(features).float()  # (b, 1024) -> (b, 1024)

    def texts_forward(self, texts: np.ndarray, student: Student) -> tuple[Tensor, Tensor]:
        tokens = self.caches.tokens[texts]
        tokens = tokens[:, : max(1, int((tokens != 0).sum(1).max()))]
        features = student.text.features(torch.from_numpy(tokens.astype(np.int64)))
        return features, fn.normalize(student.text.head(features).float(), dim=-1)

    def losses(self, progress: float) -> dict[str, Tensor]:
        """Draw one batch and return its weighted losses."""
        args, caches, targets, student = self.args, self.caches, self.targets, self.student
        rng = self.sampler.rng
        rows = self.sampler.pictures(args.batch)
        texts = self.sampler.sentences(rows)
        shown = targets.show(rows, side_at(args.sides, progress), args.joined, rng)
        early, late = student.image.maps(shown.pixels)
        features = late.float().mean((2, 3))  # (b, 1024)
        vectors = fn.normalize(student.image.head(features).float(), dim=-1)  # (b, DIM)
        taught = np.flatnonzero(rows < targets.taught)
        out = {
            "feature": args.w_feature * mimic(self.as_picture_teacher(features[taught]), shown.features[taught]),
            "joint": args.w_joint * (1 - (vectors * shown.joint)[taught].sum(-1)).mean(),
        }
        if shown.maps is not None:
            out["early_map"] = args.w_map * mimic_map(student.to_early_map(early[shown.mapped]), shown.maps)
            out["late_map"] = args.w_map * mimic_map(student.to_late_map(late[shown.mapped]), shown.maps)
        scale = student.scale.exp().clamp(max=60)
        told = np.flatnonzero((texts >= 0) & ~shown.joined)
        z, own_joint = vectors[told], targets.joint_text[texts[told]]
        facts, needs = caches.facts[rows[told]], caches.needs
        bank_rows = self.sampler.pictures(args.bank)
        bank_texts = self.sampler.sentences(bank_rows)
        bank_rows, bank_texts = bank_rows[bank_texts >= 0], bank_texts[bank_texts >= 0]
        true = torch.from_numpy(batches.true_pairs(facts, needs[bank_texts]))
        out["image_bank"] = args.w_bank * bank_loss(z, own_joint, targets.joint_text[bank_texts], true, scale)
        shop = np.flatnonzero((caches.sources[rows] == "grocery") & ~shown.joined)
        if len(shop):
            wanted = batches.true_pairs(caches.facts[rows[shop]], self.fine_needs)  # (s, 81)
            logits = student.class_scale.exp().clamp(max=40) * vectors[shop] @ self.meeting.shop.T
            out["shop"] = args.w_shop * fn.cross_entropy(logits, torch.from_numpy(wanted.argmax(1)))
        self.seen += len(rows) * self.meeting.ranks
        if self.step % args.text_every:
            return out
        practice = self.sampler.practice(args.practice)
        text_features, t = self.texts_forward(texts[told], student)
        practice_features, p = self.texts_forward(practice, student)
        both = np.concatenate([texts[told], practice])
        sentence_targets = torch.from_numpy(targets.sentences[both]).float()
        mimicked = student.to_text_teacher(torch.cat([text_features, practice_features])).float()
        out["text_feature"] = args.w_feature * mimic(mimicked, sentence_targets)
        all_text, all_joint = torch.cat([t, p]), targets.joint_text[both]
        out["text_joint"] = args.w_joint * (1 - (all_text * all_joint).sum(-1)).mean()
        seen = np.flatnonzero(rows[told] < targets.taught)  # texts whose picture the teacher has seen
        bank_rows = bank_rows[bank_rows < targets.taught]
        true = torch.from_numpy(batches.true_pairs(caches.facts[bank_rows], needs[texts[told[seen]]])).T
        out["text_bank"] = args.w_bank * bank_loss(
            t[seen], shown.joint[told[seen]], targets.joint[0][bank_rows], true, scale
        )
        true = torch.from_numpy(batches.true_pairs(facts, needs[texts[told]]))
        out["clip"] = args.w_clip * masked_loss(scale * z @ t.T, true)
        return out

    @torch.no_grad()
    def refresh_iconic(self) -> None:
        """Keep the averaged towers' vectors of the shop's own pictures: photos are pulled to the one of their class."""
        with torch.autocast("cpu", torch.bfloat16):
            self.meeting.shop.copy_(self.average.image(to_input(self.targets.pixels[0][self.iconic])).float())

    @torch.no_grad()
    def smooth(self) -> None:
        """Move the averaged weights; young runs forget faster."""
        keep = min(self.args.average, (1 + self.step) / (10 + self.step))
        mine, fresh = self.average.state_dict(), self.student.state_dict()
        floats = [k for k, v in mine.items() if v.is_floating_point()]
        torch._foreach_lerp_([mine[k] for k in floats], [fresh[k] for k in floats], 1 - keep)

    @torch.no_grad()
    def report(self) -> str:
        """Measure the averaged towers on the dev photos, at the training side, and the grocery val photos."""
        with torch.autocast("cpu", torch.bfloat16):

            def embed(rows: np.ndarray) -> Tensor:
                pixels = self.targets.pixels[0]
                parts = [self.average.image(to_input(pixels[rows[i : i + 200]])) for i in range(0, len(rows), 200)]
                return torch.cat(parts or [torch.empty(0, DIM)]).float()

            x = embed(self.dev["rows"])
            tokens = self.dev["tokens"]
            said = [self.average.text(tokens[i : i + 500]) for i in range(0, len(tokens), 500)]
            y = torch.cat(said or [torch.empty(0, DIM)]).float()
            wanted = torch.arange(len(y))[:, None] // 5 == torch.arange(len(x))[None]
            near = (x * self.targets.joint[0][self.dev["rows"]]).sum(-1).mean().item()
            line = f"dev t2i {recall(y, x, wanted)} i2t {recall(x, y, wanted.T)} cos {near:.3f}"
            shop = np.flatnonzero((self.caches.sources == "grocery") & ~self.caches.train)
            hit = torch.from_numpy(batches.true_pairs(self.caches.facts[shop], self.fine_needs))
            line += f" photo2product {recall(embed(shop), embed(self.iconic), hit, (1, 5))}"
        return line

    def save(self) -> None:
        whole = {"student": self.student.state_dict(), "average": self.average.state_dict(),
                 "optimiser": self.optimiser.state_dict(), "step": self.step, "seen": self.seen,
                 "spent_s": self.spent_s, "vocabulary": self.vocabulary}  # fmt: skip
        torch.save(whole, self.args.out.with_suffix(".part"))
        self.args.out.with_suffix(".part").replace(self.args.out)

    def resume(self) -> None:
        whole = torch.load(self.args.out)
        self.student.load_state_dict(whole["student"])
        self.average.load_state_dict(whole["average"])
        self.optimiser.load_state_dict(whole["optimiser"])
        self.step, self.seen, self.spent_s = whole["step"], whole["seen"], whole["spent_s"]

    def start_from(self, checkpoint: Path) -> None:
        """Take the averaged weights of an earlier run; what it did not have stays as drawn."""
        weights = torch.load(checkpoint)["average"]
        for model in (self.student, self.average):
            missing, unknown = model.load_state_dict(weights, strict=False)
            if unknown or any(not name.startswith(("to_early", "to_late")) for name in missing):
                raise SystemExit(f"{checkpoint} does not fit: {missing} {unknown}")

    def train(self) -> None:
        args, meeting, first = self.args, self.meeting, self.rank == 0
        if first:
            self.refresh_iconic()
        began, budget_s, last_save = time.time() - self.spent_s, args.minutes * 60, time.time()
        sums: dict[str, float] = {}
        asked: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number) if first else None)  # save, then stop
        parameters = list(self.student.parameters())
        while True:
            if first:
                meeting.clock[0], meeting.clock[1] = time.time() - began, len(asked)
            meeting.barrier.wait()
            self.spent_s, stop = meeting.clock[0].item(), meeting.clock[1].item()
            if stop or self.spent_s >= budget_s:
                break
            losses = self.one_step(parameters, self.spent_s / budget_s)
            if not first:
                continue
            self.smooth()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            if self.step % 50 == 0:
                self.refresh_iconic()
                means = " ".join(f"{name} {value / 50:.3f}" for name, value in sums.items())
                print(f"step {self.step} {self.spent_s:.0f}s {self.seen} views {means}", flush=True)
                sums = {}
            if time.time() - last_save > args.save_every * 60:
                self.save()
                print(f"step {self.step} {self.report()}", flush=True)
                last_save = time.time()
        if first:
            self.save()
            print(f"step {self.step} {self.report()}", flush=True)

    def one_step(self, parameters: list[nn.Parameter], progress: float) -> dict[str, Tensor]:
        """Learn from one batch, shared among the ranks; the rate warms up by steps and falls with the clock."""
        shape = 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * progress))
        for group in self.optimiser.param_groups:
            group["lr"] = float(self.args.rate * min(1.0, (self.step + 1) / 200) * shape)
        with torch.autocast("cpu", torch.bfloat16):
            losses = self.losses(progress)
            total = torch.stack(list(losses.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.meeting.average(parameters, self.rank)
        nn.utils.clip_grad_norm_(parameters, 5.0)
        self.optimiser.step()
        self.step += 1
        return losses


def work_as(rank: int, args: argparse.Namespace, meeting: Meeting) -> None:
    """Be one process of the run."""
    torch.manual_seed(args.seed)  # the same first weights on every rank
    torch.set_num_threads(args.threads)
    run = Run(args, rank, meeting)
    if args.resume:
        run.resume()
    elif args.start:
        run.start_from(args.start)
    torch.manual_seed(args.seed + 1000 * rank + run.step)
    run.sampler.rng = np.random.default_rng([args.seed, rank, run.step])
    run.train()


def dev_set(work: Path) -> dict[str, Any]:
    """Return the dev photos' rows and the tokens of their captions, five a photo in order."""
    from tokenizers import Tokenizer

    from training.starter.prepare_texts import token_matrix

    pictures = json.loads((work / "pictures.json").read_text())
    rows = np.array([i for i, p in enumerate(pictures) if p["source"] == "flickr8k" and p["split"] == "val"], np.int64)
    captions = [caption for i in rows for caption in pictures[i]["labels"]["captions"]]
    tokens = token_matrix(Tokenizer.from_file(str(work / "tokenizer.json")), captions)
    return {"rows": rows, "tokens": torch.from_numpy(tokens.astype(np.int64))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint file")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="checkpoint whose weights this run starts from")
    parser.add_argument("--batch", type=int, default=80, help="pictures a step and process")
    parser.add_argument("--bank", type=int, default=320, help="teacher vectors a batch is also compared with")
    parser.add_argument("--practice", type=int, default=48, help="practice sentences a step and process")
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--sides", default="80:0.45,96:0.8,112:1", help="side:until, shares of the run")
    parser.add_argument("--text-every", type=int, default=2, help="the text tower learns at every n-th step")
    parser.add_argument("--w-feature", type=float, default=1.0)
    parser.add_argument("--w-joint", type=float, default=3.0)
    parser.add_argument("--w-bank", type=float, default=0.2)
    parser.add_argument("--w-map", type=float, default=0.7)
    parser.add_argument("--joined", type=float, default=0.5, help="share of pictures with a piece of another in them")
    parser.add_argument("--w-clip", type=float, default=0.3)
    parser.add_argument("--w-shop", type=float, default=0.2)
    parser.add_argument("--save-every", type=float, default=6, help="minutes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="threads a process")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    vocabulary = len(json.loads((args.work / "tokenizer.json").read_text())["model"]["vocab"])
    shop = sum(p["source"] == "grocery_iconic" for p in json.loads((args.work / "pictures.json").read_text()))
    meeting = Meeting(args.processes, sum(p.numel() for p in Student(vocabulary).parameters()), shop)
    if args.processes == 1:
        work_as(0, args, meeting)
    else:
        torch.multiprocessing.spawn(work_as, (args, meeting), nprocs=args.processes)


if __name__ == "__main__":
    main()
