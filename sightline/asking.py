"""Text queries to measure an index by, where a collection has no words of its own: photos without titles, say.

Knows what people tend to look for in pictures, and the encoder of a collection; not how recall is counted.
"""

from __future__ import annotations

from sightline.passport import PassportControl
from sightline.types import Space, Vectors

PHRASES = (
    "a red car", "a dog on the beach", "two people talking", "a wooden table", "mountains in the snow", "a cup of tea",
    "a city street at night", "a white cat asleep", "flowers in a vase", "a birthday cake", "children playing football",
    "an old bridge over a river", "a blue dress", "a black leather bag", "a computer on a desk", "a bird in a tree",
    "a plate of food", "a crowd at a concert", "a boat on a lake", "a bicycle against a wall", "a woman with a hat",
    "a man reading a newspaper", "a kitchen with white tiles", "running shoes", "a glass lamp", "a horse in a field",
    "a train at a station", "an empty room", "a green forest path", "a close-up of an eye", "a striped shirt",
    "a church tower", "a sunset over the sea", "a page of text", "a map", "a logo", "a diagram with arrows",
    "a wrist watch", "fruit at a market", "rain on a window",
)  # fmt: skip


def spoken(control: PassportControl, space: Space) -> Vectors | None:
    """(q, dim) vectors of PHRASES; None where the space is not of the collection's encoder, or that takes no text.

    Raises what opening the encoder raises.
    """
    encoder = control.plain_encoder
    if encoder.space.fingerprint != space.fingerprint or "text" not in encoder.space.modalities:
        return None
    return encoder.encode_queries([(phrase,) for phrase in PHRASES])
