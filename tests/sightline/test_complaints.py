"""Wrong values are told in words of ours, whatever refused them."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from sightline.complaints import complaint
from sightline.errors import ConfigError
from sightline.settings import Settings


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Taken(BaseModel, extra="forbid"):
    count: int = Field(1, ge=1, le=9)
    share: float = Field(0.5, gt=0, lt=1)
    sure: bool = True
    kind: Literal["a", "b"] = "a"
    name: str = Field("x", max_length=3, pattern="^x")
    some: list[int] = Field([], max_length=2)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] = Cat(kind="cat")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"count": "many"}, "is a whole number, not 'many'"),
        ({"count": 1.5}, "is a whole number, not 1.5"),
        ({"count": 0}, "is at least 1, not 0"),
        ({"count": 10}, "is at most 9, not 10"),
        ({"share": 0}, "is greater than 0, not 0"),
        ({"share": 1}, "is less than 1, not 1"),
        ({"share": "soon"}, "is a number, not 'soon'"),
        ({"sure": "maybe"}, "is true or false, not 'maybe'"),
        ({"kind": "c"}, "is 'a' or 'b', not 'c'"),
        ({"name": "xxxx"}, "has at most 3 characters"),
        ({"name": 7}, "is a text, not 7"),
        ({"name": []}, "is a text"),
        ({"some": [1, 2, 3]}, "holds at most 2"),
        ({"pet": {"kind": "fish"}}, "has a 'kind' that is one of 'cat', 'dog'"),
        ({"pet": {}}, "lacks its 'kind'"),
        ({"stranger": 1}, "is not known"),
        ({"count": "9" * 100}, f"is at most 9, not '{'9' * 39}…"),
    ],
)
def test_a_wrong_value_is_told_with_what_belongs_there(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Taken.model_validate(given)
    assert complaint(refused.value.errors()[0]) == told


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        Cat.model_validate({})
    assert complaint(refused.value.errors()[0]) == "is missing"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rerank_depth": "many"}, r"setting 'rerank_depth' \(SIGHTLINE_RERANK_DEPTH\) is a whole number, not 'many'"),
        ({"regions": "foo"}, r"is 'none', 'grid' or 'salient', not 'foo'"),
        ({"collection": "a b"}, "is a name of 1 to 64 letters"),
        ({"reranker": "x"}, r"there is no setting 'reranker'\. Did you mean rerank\? They are: index, collection"),
    ],
)
def test_settings_are_refused_in_the_same_words(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Settings.read(**given)


def test_a_key_is_never_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.read(api_key=12345)
    assert "12345" not in str(refused.value)
