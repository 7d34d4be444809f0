"""A real, tiny vision-language model with random weights, and a real OpenAI-compatible server for it.

It sees pictures and streams tokens as a large one does, in well under a second, and says nothing sensible: what it
proves is the wire, not the wit. Needs torch and `transformers[serving]`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx

UP_S = 90.0  # a busy machine needs 10-30 s to import torch and transformers
CHAT = (
    "{% for m in messages %}{{ m['role'] }}: "
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for p in m['content'] %}"
    "{% if p['type'] in ('image', 'image_url') %}<image>{% elif p['type'] == 'text' %}{{ p['text'] }}{% endif %}"
    "{% endfor %}{% endif %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
CORPUS = [
    "yes no",
    "user: is this item what the person looks for? yes",
    "assistant: no",
    "system: answer yes or no",
] * 50


def build(folder: Path) -> Path:
    """Save the model with its processor into `folder`: a CLIP eye, a small Llama, a byte-level BPE trained here."""
    import torch

    from sightline.encoders.torchvision_repair import repair

    repair()
    import transformers as tf

    torch.manual_seed(7)
    bpe = tokenizer_of(["<pad>", "<s>", "</s>", "<image>"])
    tokenizer = tf.PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=4096
    )
    tokenizer.chat_template = CHAT
    for word in ("yes", "no"):
        assert len(tokenizer(word, add_special_tokens=False).input_ids) == 1, word
    vision = tf.CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    words = tf.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    config = tf.LlavaConfig(vision_config=vision, text_config=words, image_token_index=3, image_seq_length=4)
    model = tf.LlavaForConditionalGeneration(config).eval()
    model.generation_config.update(do_sample=False, pad_token_id=0, eos_token_id=2)
    model.generation_config.exponential_decay_length_penalty = (12, 8.0)  # serve raises any max_new_tokens to 1024
    processor = tf.LlavaProcessor(
        image_processor=tf.CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        tokenizer=tokenizer, patch_size=16, vision_feature_select_strategy="default",
        chat_template=CHAT, image_token="<image>", num_additional_image_tokens=1,
    )  # fmt: skip
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def tokenizer_of(special: Sequence[str]) -> Any:
    """A byte-level BPE trained here, in which yes and no are one token each; `special` have the first ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*special], initial_alphabet=alphabet)
    bpe.train_from_iterator(CORPUS, trainer)
    return bpe


@contextlib.contextmanager
def serve(folder: Path, *, log: Path) -> Iterator[str]:
    """Run `transformers serve` on a free port of the loopback; yields its base URL, and ends it for certain."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "serve", str(folder), "--device", "cpu"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=out, stderr=subprocess.STDOUT, env=offline, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_up(server, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait(timeout=10)


@cache
def running() -> str:
    """The spec of a server that runs until this process ends; built and started by the first test that asks."""
    from tests.extras import needs  # the server's own process has no such package

    needs("torch", "transformers", "langchain_openai", extra="dev")
    folder = Path(tempfile.mkdtemp(prefix="sightline-tiny-vlm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lasting = contextlib.ExitStack()
    atexit.register(lasting.close)
    url = lasting.enter_context(serve(build(folder / "model"), log=folder / "log"))
    return f"openai:{folder / 'model'}@{url}"


def _wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + UP_S
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=2).status_code < 500:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the server was not up after {UP_S:.0f} s:\n{log.read_text()[-2000:]}")


def main() -> None:
    """`transformers serve`, without torchvision: one that does not fit this torch cannot read pictures."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    sys.modules["torchvision"] = None  # type: ignore[assignment]
    from transformers.cli.transformers import main as transformers

    transformers()


def _end_with_parent(parent: int) -> None:
    """Whatever kills the tests, even `kill -9`, leaves no server behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main()
