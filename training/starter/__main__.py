"""The whole training in one command: prepare, heads, train, refit, export, evaluate. Run again, it goes on.

    python -m training.starter --data DIR --work WORK [--minutes 90] [--only-open] [--out FOLDER]

Knows the order and the recipe. Each step is a module of its own and runs as a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.starter.sources import chosen

RECIPE = {  # what the shipped weights were trained with; `--minutes` is the machine's own
    "prepare": "--views 4 --maps 3 --practice 120000 --vocabulary 10000 --drawn 6000",
    "heads": "--steps 2500 --views 2 --dropout 0.35",
    "train": "--views 4 --sides 96:0.25,112:1 --average 0.998 --text-every 3",
    "refit": "--steps 300 --views 3 --dropout 0.2 --stay 0.02",
    "export": "--side 128",
    "evaluate": "--rendered 1000",
}


@dataclass(frozen=True)
class Step:
    """One module and its arguments. `goes_on`: what tells it, once begun, to continue instead of beginning again."""

    name: str
    arguments: tuple[str, ...]
    goes_on: str = ""


def steps(asked: argparse.Namespace) -> Iterator[Step]:
    """Yield the steps of a training in order."""
    data, work, out = (str(path) for path in (asked.data, asked.work, asked.out))
    towers, final = str(asked.work / "towers.pt"), str(asked.work / "final.pt")
    recipe = {name: line.split() for name, line in (RECIPE | dict(asked.override)).items()}
    processes = ["--processes", str(asked.processes)]
    only_open = ["--only-open"] if asked.only_open else []
    yield Step("prepare", ("--data", data, "--work", work, *processes, *recipe["prepare"], *only_open))
    yield Step("heads", ("--work", work, *recipe["heads"]))
    minutes = ["--minutes", str(asked.minutes)]
    yield Step("train", ("--work", work, "--out", towers, *minutes, *processes, *recipe["train"]), "--resume")
    yield Step("refit", ("--work", work, "--checkpoint", towers, "--out", final, *recipe["refit"]))
    yield Step("export", ("--work", work, "--checkpoint", final, "--out", out, *recipe["export"]))
    figures = str(asked.work / "figures.json")
    yield Step("evaluate", ("--data", data, "--files", out, "--out", figures, *recipe["evaluate"]))


def run(asked: argparse.Namespace) -> None:
    """Take every step that has not been taken with these arguments; what follows a fresh step is taken again."""
    asked.work.mkdir(parents=True, exist_ok=True)
    plan = list(steps(asked))
    same_caches(asked.work, plan[0])
    kept = asked.work / "steps.json"
    done: dict[str, list[str]] = json.loads(kept.read_text()) if kept.exists() else {}
    began, fresh = time.time(), False
    for number, step in enumerate(plan, 1):
        title = f"[{number}/{len(plan)}] {step.name}"
        if not fresh and done.get(step.name) == [*step.arguments]:
            print(f"{title}: done before", flush=True)
            continue
        fresh = True
        begun = step.goes_on and (asked.work / "towers.pt").exists()
        print(f"{title}, {(time.time() - began) / 60:.0f} min so far", flush=True)
        command = [sys.executable, "-m", f"training.starter.{step.name}", *step.arguments]
        code = subprocess.run([*command, step.goes_on] if begun else command, check=False).returncode
        if code:
            raise SystemExit(f"{step.name} ended with {code}. The same command again goes on from here")
        done[step.name] = [*step.arguments]
        kept.write_text(json.dumps(done, indent=2))
    into_configuration(asked.out, asked.work / "figures.json")
    print(f"{asked.out} holds the encoder: open it as onnx:{asked.out}. Figures: {asked.work / 'figures.json'}")


def same_caches(work: Path, prepare: Step) -> None:
    """Refuse to mix the caches of two sets of sources or settings in one folder."""
    mark, wanted = work / "prepare.json", json.dumps(prepare.arguments)
    if mark.exists() and mark.read_text() != wanted:
        raise SystemExit(f"{work} was begun with other data or settings: give another --work, or remove it")
    mark.write_text(wanted)


def into_configuration(out: Path, figures: Path) -> None:
    """Keep the figures in the encoder's own configuration."""
    config = json.loads((out / "config.json").read_text())
    config["figures"] = json.loads(figures.read_text())
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def override(line: str) -> tuple[str, str]:
    """Read `heads=--steps 100` as a step and its settings."""
    name, _, settings = line.partition("=")
    if name not in RECIPE or not settings:
        raise argparse.ArgumentTypeError(f"{line!r} is not STEP=SETTINGS with a step of {', '.join(RECIPE)}")
    return name, settings


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.starter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the data tars")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and checkpoints, about 12 GB")
    parser.add_argument("--out", type=Path, help="folder the encoder is written to; WORK/encoder unless said")
    parser.add_argument("--minutes", type=float, default=90, help="of training the towers, the longest step")
    parser.add_argument("--processes", type=int, default=2, help="of preparing and of training")
    parser.add_argument("--only-open", action="store_true", help="leave out every source without an open licence")
    parser.add_argument(
        "--override", type=override, action="append", default=[], metavar="STEP=SETTINGS",
        help=f"other settings for a step of {', '.join(RECIPE)}",
    )  # fmt: skip
    asked = parser.parse_args(argv)
    missing = [f"{name}.tar" for name in chosen(asked.only_open) if not (asked.data / f"{name}.tar").is_file()]
    missing += [] if (asked.data / "teachers").is_dir() else ["teachers/"]
    if missing:
        parser.error(f"{asked.data} lacks {', '.join(missing)}")
    asked.out = asked.out or asked.work / "encoder"
    return asked


if __name__ == "__main__":
    run(arguments())
