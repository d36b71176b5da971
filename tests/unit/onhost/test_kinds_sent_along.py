"""A target knows a kind of others from its verified source alone, asks for that once, and has it when a run is undone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Address, Kinds, Resource
from vitrify.core.stranger import Stranger
from vitrify.onhost.strangers import made
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import MEMORY, Engine, outcomes, planned, quick_folder

SOURCE = (Path(__file__).parents[3] / "examples" / "kind" / "vitrify_logrotate.py").read_bytes()
ROTATION = Stranger("logrotate", "Logrotate", SOURCE)
DIGEST = ROTATION.reference.digest
CONTROL = Kinds((*(all_kinds()[name] for name in all_kinds().names()), made(ROTATION)))
"""What the control machine knows; the target knows our own kinds, and what it is sent."""
SHOP = Resource(Address("logrotate", "shop"), {"name": "shop", "paths": ["/var/log/shop.log"]})


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as folder:
        found = Engine(folder)
        found.contents[DIGEST] = SOURCE
        yield found


def along(stranger: Stranger = ROTATION) -> list[JSON]:
    return [stranger.reference.to_json()]


def apply(engine: Engine, *wishes: Resource, run: str = "r1", stranger: Stranger = ROTATION) -> JSONObject:
    seen = engine.call("observe", resources=[one.to_json() for one in wishes], kinds=along(stranger))
    return engine.call("enact", **planned(seen, wishes, run=run, kinds=CONTROL), kinds=along(stranger))


def rotated(engine: Engine) -> bool:
    return (engine.root / "etc/logrotate.d/shop").exists()


def memory(engine: Engine, name: str) -> Path:
    return engine.root / MEMORY / name


def forge(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_kind_of_others_is_converged_like_ours(engine: Engine) -> None:
    assert outcomes(apply(engine, SHOP)) == ["done"]
    assert rotated(engine)


def test_a_target_without_the_source_cannot_be_asked_about_it(engine: Engine) -> None:
    with pytest.raises(VitrifyError, match="there is no kind 'logrotate'"):
        engine.call("observe", resources=[SHOP.to_json()])


def test_a_source_that_is_not_the_announced_one_is_refused(engine: Engine) -> None:
    engine.contents[DIGEST] = SOURCE + b"\n"

    with pytest.raises(IntegrityFailed, match="is not the one that was announced"):
        apply(engine, SHOP)
    assert not (engine.root / "etc").exists()


def test_to_look_leaves_nothing_behind(engine: Engine) -> None:
    engine.call("observe", resources=[SHOP.to_json()], kinds=along())

    assert list(engine.root.iterdir()) == []


def test_the_source_is_asked_for_only_where_the_target_lacks_it(engine: Engine) -> None:
    apply(engine, SHOP)
    engine.contents.clear()

    assert engine.call("observe", resources=[SHOP.to_json()], kinds=along())["unfinished"] == ""


def test_a_source_that_was_changed_on_the_target_is_asked_for_again(engine: Engine) -> None:
    apply(engine, SHOP)
    kept = memory(engine, f"kinds/{DIGEST.removeprefix('sha256:')}")
    kept.write_bytes(b"raise SystemExit('not the kind that was sent')")

    engine.call("observe", resources=[SHOP.to_json()], kinds=along())
    apply(engine, SHOP, Resource(Address("logrotate", "more"), {"name": "more", "paths": ["/x"]}), run="r2")

    assert kept.read_bytes() == SOURCE


def test_a_run_is_undone_when_nobody_has_its_kind_any_more(engine: Engine) -> None:
    apply(engine, SHOP)
    engine.contents.clear()

    assert outcomes(engine.call("undo", run="", force=False, by="ada")) == ["done"]
    assert not rotated(engine)


def test_a_run_is_undone_with_the_kind_that_it_was_made_with(engine: Engine) -> None:
    apply(engine, SHOP)
    newer = Stranger("logrotate", "Logrotate", SOURCE + b"\nLogrotate.affected = None\n")
    engine.contents[newer.reference.digest] = newer.source

    assert outcomes(engine.call("undo", run="r1", force=False, by="ada", kinds=along(newer))) == ["done"]
    assert not rotated(engine)


def test_what_is_held_is_looked_at_though_its_kind_is_sent_no_more(engine: Engine) -> None:
    apply(engine, SHOP)
    engine.contents.clear()

    (seen,) = [found for found in engine.call("observe", resources=[])["observations"] if isinstance(found, dict)]  # type: ignore[union-attr]

    assert seen["address"] == "logrotate:shop"


def test_a_folder_that_brings_its_own_kinds_is_not_believed(engine: Engine) -> None:
    apply(engine, SHOP)
    table = json.loads(memory(engine, "kinds.json").read_text())
    voucher = table["kinds"][0]["kinds"][0]["voucher"]
    for path in (memory(engine, "kinds.json"), memory(engine, "runs/r1/journal.ndjson")):
        forge(path, voucher, "hmac-sha512:" + "0" * 128)

    with pytest.raises(Denied, match="is not believed"):
        engine.call("observe", resources=[])
    with pytest.raises(Denied, match="is not believed"):
        engine.call("undo", run="r1", force=True, by="ada")
    assert outcomes(engine.call("undo", run="r1", force=False, by="ada", kinds=along())) == ["done"]


def test_a_voucher_is_of_one_kind_and_no_other(engine: Engine) -> None:
    apply(engine, SHOP)
    evil = Stranger("logrotate", "Logrotate", SOURCE + b"\nprint('mine')\n").reference
    memory(engine, f"kinds/{evil.digest.removeprefix('sha256:')}").write_bytes(SOURCE + b"\nprint('mine')\n")
    forge(memory(engine, "kinds.json"), DIGEST, evil.digest)

    with pytest.raises(Denied, match="is not believed"):
        engine.call("observe", resources=[])


def test_a_source_that_went_missing_is_told(engine: Engine) -> None:
    apply(engine, SHOP)
    memory(engine, f"kinds/{DIGEST.removeprefix('sha256:')}").unlink()

    with pytest.raises(TargetFailed, match="is not remembered any more"):
        engine.call("undo", run="r1", force=False, by="ada")


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha256:" + "/" * 64, "sha512:" + "0" * 64])
def test_a_digest_is_never_a_way_to_somewhere_else(engine: Engine, digest: str) -> None:
    apply(engine, SHOP)

    with pytest.raises(UsageInvalid, match="is not a digest"):
        engine.call("observe", resources=[SHOP.to_json()], kinds=[{"name": "logrotate", "class": "Logrotate", "digest": digest}])


def test_no_kind_of_others_takes_the_place_of_one_of_ours(engine: Engine) -> None:
    with pytest.raises(UsageInvalid, match="the kind `file` is vitrify's own"):
        engine.call("observe", resources=[], kinds=[{"name": "file", "class": "Logrotate", "digest": DIGEST}])


def test_a_source_goes_when_no_run_and_nothing_held_needs_it(engine: Engine) -> None:
    apply(engine, SHOP)
    apply(engine, run="r2")
    kept = memory(engine, f"kinds/{DIGEST.removeprefix('sha256:')}")
    assert kept.exists()

    arguments = engine.plan(engine.file("/motd", "hello\n"), run="r3")
    engine.call("enact", **arguments, keep={"runs": 1})

    assert not kept.exists()
    assert not rotated(engine)


def test_a_run_that_was_cut_short_is_ended_though_its_kind_is_sent_no_more(engine: Engine) -> None:
    def die(step: str) -> None:
        if step == "enact.act":
            raise KeyboardInterrupt

    engine.reached = die
    with pytest.raises(KeyboardInterrupt):
        apply(engine, SHOP)
    engine.reached = lambda _: None
    engine.contents.clear()

    assert engine.call("observe", resources=[])["unfinished"] == "r1"
    engine.call("undo", run="r1", force=False, by="ada")
    assert not rotated(engine)
