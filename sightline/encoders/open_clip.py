"""Any model of open_clip: a name with a pretrained tag, a hub repository, or a checkpoint on this machine.

Pictures are prepared as the model's own configuration says, but by `sightline.media`. Does not know which is better.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.encoders import fingerprint, hub, starter_towers
from sightline.encoders.content import embed, in_batches, normalised, split_long
from sightline.encoders.torchvision_repair import repair
from sightline.errors import ConfigError, EngineError, MissingExtra
from sightline.types import DEVICE, Content, Pixels, Space, Vectors

if TYPE_CHECKING:
    import torch

WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "*.model", "vocab.*", "merges.txt", "config.json")
INSTEAD = "Give a checkpoint on this machine instead: open_clip:ViT-B-32//path/to/checkpoint.pt"


class OpenClipEncoder:
    """Pictures and texts in one space, in float32. Safe to share between threads."""

    def __init__(self, reference: str, *, threads: int | None = None, device: str | None = None) -> None:
        """`reference` is what follows `open_clip:` in a spec, one of

        - `NAME/TAG`: a model and one of its pretrained tags, as `open_clip.list_pretrained()` has them
        - `NAME//path/to/checkpoint.pt` (or `NAME/relative/checkpoint.pt`): the same model with weights of your own
        - `hf-hub:ORG/REPO` or `hf-hub:ORG/REPO@REVISION`
        - `local-dir:FOLDER`: a folder laid out like such a repository

        `device` None means the GPU where there is one; `threads` is torch's, for the whole process. Raises ConfigError,
        MissingExtra.
        """
        open_clip, torch = _libraries()
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        name, found = _located(open_clip, reference)
        with _translated(f"open_clip:{reference}"):
            own = _text_tower(open_clip, found["model_name"])
            self._model = open_clip.create_model(**found, **own, precision="fp32", require_pretrained=True).eval()
            self._tokenizer, files = _tokenizer(open_clip, found["model_name"], spec=f"open_clip:{reference}")
            beside = {"tokenizer": fingerprint.beside_weights(files)} if files else None
        self._tokenizing = Lock()  # tokenizers of the hub keep the way they cut in themselves
        self._prepare: Mapping[str, Any] = _preparation(self._model.visual.preprocess_cfg)
        self._context = int(self._tokenizer.context_length)
        self._causal = _is_causal(open_clip, self._model)
        settings = {**self._prepare, **_architecture(open_clip, found), "context": self._context}
        printed = fingerprint.of_state(self._model.state_dict(), settings, beside)
        self._model.to(self._device)
        dim = self._encode_texts(["a"]).shape[1]
        made_of = {**printed.made_of, DEVICE: torch.device(self._device).type}
        self._space = Space(f"open_clip:{name}", dim, printed.fingerprint, made_of=made_of, formerly=printed.formerly)

    @property
    def space(self) -> Space:
        return self._space

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) unit rows, one a content, in order. Raises InputError, EngineError; see `content.embed`."""
        return embed(contents, space=self._space, texts=self._texts, pictures=self._pictures, windows=self._windows)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """Like `encode_documents`: CLIP models know no prompts, an instruction changes nothing."""
        return self.encode_documents(contents)

    def preprocess(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """(n, 3, size, size): what the model sees."""
        to = self._prepare
        resized = [media.resize(p, to["size"], mode=to["resize"], interpolation=to["interpolation"]) for p in pictures]
        return normalised(resized, mean=to["mean"], std=to["std"])

    def _pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        return in_batches(pictures, self._encode_pictures)

    def _texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return in_batches(texts, self._encode_texts, size=len)

    def _encode_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        import torch

        with _guarded("pictures"), torch.inference_mode():
            pixels = torch.from_numpy(self.preprocess(pictures)).to(self._device)
            return _numpy(self._model.encode_image(pixels))

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        with _guarded("texts"), torch.inference_mode():
            with self._tokenizing:
                tokens = self._tokenizer(list(texts)).to(self._device)  # (n, context)
            return _numpy(_causal_text(self._model, tokens) if self._causal else self._model.encode_text(tokens))

    def _windows(self, text: str) -> list[tuple[str, int]]:
        return split_long(text, limit=self._context, count=self.count_tokens)

    @property
    def most_tokens(self) -> int | None:
        """Of one text, special ones included; longer ones are read in windows."""
        return self._context

    def count_tokens(self, text: str) -> int:
        """Of a whole text, special ones included, before the tokenizer would cut it."""
        if hasattr(self._tokenizer, "encode"):
            return len(self._tokenizer.encode(text)) + 2  # start and end
        spare = 1 if getattr(self._tokenizer, "tokenizer_mode", "") == "clips" else 0  # its own class token
        with self._tokenizing:
            inner = self._tokenizer.tokenizer(self._tokenizer.clean_fn(text), truncation=False, verbose=False)
        return len(inner.input_ids) + spare


def _libraries() -> tuple[Any, Any]:
    try:
        import torch

        repair()
        import open_clip
    except ImportError as exc:
        raise MissingExtra("open_clip_torch", "clip") from exc
    starter_towers.register()
    return open_clip, torch


def _located(open_clip: Any, reference: str) -> tuple[str, dict[str, Any]]:
    """The reference with its revision filled in, and what `open_clip.create_model` needs to load it from files."""
    if reference.startswith("hf-hub:"):
        return _on_hub(reference)
    if reference.startswith("local-dir:"):
        at = Path(reference.removeprefix("local-dir:")).expanduser()
        if not (at / "open_clip_config.json").is_file():
            raise ConfigError(f"{at} is no open_clip model: it has no open_clip_config.json")
        return f"local-dir:{at.resolve()}", {"model_name": f"local-dir:{at.resolve()}"}
    name, _, pretrained = reference.partition("/")
    known = open_clip.list_models()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        raise ConfigError(f"open_clip has no model {name!r}{'; it has ' + ', '.join(near) if near else ''}")
    tag = open_clip.get_pretrained_cfg(name, pretrained)
    if tag:
        weights = _tag_weights(open_clip, tag, spec=f"open_clip:{reference}")
        return reference, {
            "model_name": name,
            "pretrained": str(weights),
            "force_quick_gelu": bool(tag.get("quick_gelu")),
            "force_preprocess_cfg": {
                key: tag[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in tag
            },
        }
    checkpoint = Path(pretrained).expanduser()
    if pretrained and checkpoint.is_file():
        return f"{name}/{checkpoint.resolve()}", {"model_name": name, "pretrained": str(checkpoint)}
    if pretrained.startswith("/") or checkpoint.suffix in (".pt", ".pth", ".bin", ".safetensors"):
        raise ConfigError(f"cannot load 'open_clip:{reference}': there is no file {pretrained}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    some = ", ".join(difflib.get_close_matches(pretrained, tags, n=4, cutoff=0.3) or tags[:4]) or "none"
    raise ConfigError(f"open_clip's {name} has no weights {pretrained!r}; it has, among others, {some}. {INSTEAD}")


def _tag_weights(open_clip: Any, tag: Mapping[str, Any], *, spec: str) -> Path:
    """The file of a pretrained tag, downloaded if need be."""
    if tag.get("hf_hub"):
        repo, _, file = tag["hf_hub"].rpartition("/")
        safe = [Path(file).with_suffix(".safetensors").name] if file.endswith((".bin", ".pth")) else []
        return hub.fetch(repo, [*safe, file] if file else WEIGHTS, spec=spec, instead=INSTEAD)
    url = tag["url"]
    cached = Path("~/.cache/clip").expanduser() / url.rpartition("/")[2]
    if not cached.is_file():
        hub.reach(url, spec=spec, instead=INSTEAD)
    with _translated(spec):
        return Path(open_clip.download_pretrained(tag))


def _on_hub(reference: str) -> tuple[str, dict[str, Any]]:
    """A hub repository at one revision: the cached one, else the newest, and recorded in the name."""
    repo, _, revision = reference.removeprefix("hf-hub:").partition("@")
    known = {"spec": f"open_clip:{reference}", "instead": INSTEAD}
    config = hub.fetch(repo, ["open_clip_config.json"], revision=revision or None, **known)
    commit = config.parent.name  # the cache is laid out as snapshots/<commit>/<file>
    hub.fetch(repo, WEIGHTS, revision=commit, **known)
    return f"hf-hub:{repo}@{commit}", {"model_name": f"local-dir:{config.parent}"}


def _tokenizer(open_clip: Any, model_name: str, *, spec: str) -> tuple[Any, Path | None]:
    """The model's own tokenizer and the folder it is in; one that lives on the hub is fetched as plain files first.

    No folder where it comes with open_clip.
    """
    text: dict[str, Any] = open_clip.get_model_config(model_name)["text_cfg"]
    repo = text.get("hf_tokenizer_name")
    at = model_name.removeprefix("local-dir:")
    if not repo or (at != model_name and (Path(at) / "tokenizer_config.json").is_file()):
        return open_clip.get_tokenizer(model_name), Path(at) if repo else None
    try:
        import transformers  # noqa: F401 - open_clip needs it for tokenizers of the hub
    except ImportError as exc:
        raise MissingExtra("transformers", "text") from exc
    files = hub.folder(repo, "tokenizer_config.json", TOKENIZER, spec=spec, instead=INSTEAD)
    made = open_clip.tokenizer.HFTokenizer(
        str(files),
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )
    return made, files


def _text_tower(open_clip: Any, model_name: str) -> dict[str, Any]:
    """Where in the folder a text tower of transformers is described, wherever the folder has been moved since."""
    folder = _text_folder(open_clip, model_name)
    if folder is None:
        return {}
    text: dict[str, Any] = open_clip.get_model_config(model_name)["text_cfg"]
    return {"text_cfg": text | {"hf_model_name": str(folder), "hf_model_pretrained": False}}


def _text_folder(open_clip: Any, model_name: str) -> Path | None:
    at = model_name.removeprefix("local-dir:")
    named = Path(open_clip.get_model_config(model_name)["text_cfg"].get("hf_model_name") or "").name
    inside = Path(at) / named
    return inside if at != model_name and named and (inside / "config.json").is_file() else None


def _preparation(own: Mapping[str, Any]) -> dict[str, Any]:
    """The model's preprocessing in the words of `media.resize`. Raises ConfigError for one it cannot do."""
    sizes = {*own["size"]} if isinstance(own["size"], tuple | list) else {own["size"]}
    if len(sizes) != 1 or own["resize_mode"] not in ("shortest", "squash"):
        raise ConfigError(
            f"this model wants pictures of {own['size']}, {own['resize_mode']}: only squares are made here"
        )
    interpolation = "bilinear" if own["interpolation"] == "bilinear" else "bicubic"  # as open_clip: "random" is bicubic
    prepared = {"size": sizes.pop(), "resize": own["resize_mode"], "interpolation": interpolation}
    return prepared | {"mean": tuple(own["mean"]), "std": tuple(own["std"])}


def _architecture(open_clip: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """The model's configuration: what heads, activations and tokenizer leave no trace of in the weights."""
    own: dict[str, Any] = open_clip.get_model_config(found["model_name"])
    folder = _text_folder(open_clip, found["model_name"])
    if folder is not None:
        described = json.loads((folder / "config.json").read_bytes())
        described.pop("transformers_version", None)  # says who wrote it, not what it is
        own["text_cfg"] = own["text_cfg"] | {"hf_model_name": folder.name, "described": described}
    return own | {"quick_gelu": bool(own.get("quick_gelu") or found.get("force_quick_gelu"))}


def _is_causal(open_clip: Any, model: Any) -> bool:
    """Whether what follows a text's end token cannot change its vector, so that padding need not be computed."""
    return type(model) is open_clip.CLIP and model.text_pool_type == "argmax" and model.attn_mask is not None


def _causal_text(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """What `model.encode_text` gives, computed up to the last end token of the batch instead of all 77 places."""
    ends = tokens.argmax(dim=-1)  # the end token has the highest id
    length = int(ends.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]  # (n, length, width)
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x.gather(1, ends[:, None, None].expand(-1, 1, x.shape[-1]))[:, 0]  # (n, length, width) -> (n, width)
    if model.text_projection is None:
        return x
    return model.text_projection(x) if callable(model.text_projection) else x @ model.text_projection


def _numpy(vectors: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)


@contextlib.contextmanager
def _guarded(what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as exc:  # torch says everything by RuntimeError, out of memory too
        raise EngineError(f"the model could not embed these {what}: {str(exc).partition(chr(10))[0][:200]}") from exc


@contextlib.contextmanager
def _translated(spec: str) -> Iterator[None]:
    """Whatever goes wrong while a model loads becomes one sentence that names it."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as exc:  # a damaged checkpoint may raise anything
        reason = str(exc).strip().partition("\n")[0][:200]
        raise ConfigError(f"cannot load {spec!r}: {reason or type(exc).__name__}. {INSTEAD}") from exc
