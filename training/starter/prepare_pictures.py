"""Cuts fixed views of every picture and asks the picture teacher about exactly those views.

Knows crops and the teacher's TFLite file; knows nothing of texts or of the student. What is once done is kept. Of the
first `maps` views the teacher's last map is kept too: what it sees at each of 7 x 7 places, before it takes the mean.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.starter.sources import EVERY, read

SIZE = 112  # student's training side, px
MAP = (7, 7, 1024)  # the teacher's last map
TEACHER = "teachers/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
_worker: dict[str, Any] = {}


def crop_box(width: int, height: int, index: int, view: int) -> tuple[float, float, float, float]:
    """Return the crop of a view: view 0 is the whole picture, the others take 35-100 % of its area, fixed by seed."""
    if view == 0:
        return 0.0, 0.0, float(width), float(height)
    rng = np.random.default_rng([index, view])
    area = rng.uniform(0.35, 1.0)
    ratio = np.exp(rng.uniform(np.log(0.75), np.log(1.333)))
    w, h = min(1.0, np.sqrt(area * ratio)), min(1.0, np.sqrt(area / ratio))
    x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
    return x * width, y * height, (x + w) * width, (y + h) * height


def _start(teacher: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(teacher, num_threads=1)
    model.allocate_tensors()
    output = model.get_output_details()[0]["index"]
    [last_map] = [op["inputs"][0] for op in model._get_ops_details() if output in op["outputs"]]
    _worker.update(model=model, input=model.get_input_details()[0]["index"], output=output, last_map=last_map)


def _view(job: tuple[int, int, bytes]) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    index, view, encoded = job
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    box = crop_box(*image.size, index, view)
    student = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box))  # (S, S, 3)
    shown = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, box=box))
    model = _worker["model"]
    model.set_tensor(_worker["input"], shown[None])
    model.invoke()
    feature = model.get_tensor(_worker["output"]).reshape(-1).copy()
    return index, student, feature, model.get_tensor(_worker["last_map"])[0].copy()


def prepare_pictures(
    data: Path, work: Path, views: int, maps: int, processes: int, *, sources: tuple[str, ...] = EVERY
) -> None:
    """Write `pictures.json`, and per view, all uint8: `views_<v>.npy` (n, S, S, 3), `teacher_<v>.npy` (n, 1024) and,
    of the first `maps` views, `maps_<v>.npy` (n, 7, 7, 1024)."""
    work.mkdir(parents=True, exist_ok=True)
    pairs = list(read(data, sources))
    (work / "pictures.json").write_text(json.dumps([asdict(picture) for picture, _ in pairs]))
    n = len(pairs)
    with Pool(processes, _start, (str(data / TEACHER),)) as pool:
        for view in range(views):
            done = work / f"view_{view}.done"
            maps_done = work / f"maps_{view}.done"
            if done.exists() and (view >= maps or maps_done.exists()):
                continue
            again = done.exists()  # only the maps are missing

            def fresh(name: str, *shape: int) -> np.memmap[Any, Any]:
                return np.lib.format.open_memmap(work / f"{name}.npy", "w+", np.uint8, (n, *shape))

            pixels = None if again else fresh(f"views_{view}", SIZE, SIZE, 3)
            features = None if again else fresh(f"teacher_{view}", 1024)
            seen = fresh(f"maps_{view}", *MAP) if view < maps else None
            jobs = ((i, view, encoded) for i, (_, encoded) in enumerate(pairs))
            for index, student, feature, last_map in pool.imap_unordered(_view, jobs, chunksize=64):
                if pixels is not None and features is not None:
                    pixels[index], features[index] = student, feature
                if seen is not None:
                    seen[index] = last_map
            for array, mark in ((pixels, done), (seen, maps_done)):
                if array is not None:
                    array.flush()
                    mark.touch()
            print(f"view {view}: {n} pictures", flush=True)
