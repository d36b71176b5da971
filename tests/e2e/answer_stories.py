"""Killed while a finding is answered: what was found is put right once, and what is kept as evidence is neither lost nor doubled."""

from __future__ import annotations

import json
from pathlib import Path

from shop import Shop
from story import Story

ANSWERING = "    respond: [{do: quarantine, at_most: 60, give_up: 100}]\n"
IN_PLACE = {"lifecycle": "mutable", "more": ANSWERING}
STRANGE = "/srv/app/strange"


def in_the_way(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    (shop.folder / f"machine{STRANGE}").write_text(f"turn {turn}\n")
    (shop.folder / "machine/srv/app/greeting.txt").write_text("intruder\n")


def put_right(shop: Shop, turn: int) -> None:
    """Both are evidence, once each, and what was declared stands in its place."""
    assert not (shop.folder / f"machine{STRANGE}").exists()
    assert (shop.folder / "machine/srv/app/greeting.txt").read_text() == "one\n"
    kept = [entry["path"] for entry in listed(shop)]
    assert kept.count(STRANGE) == kept.count("/srv/app/greeting.txt") == turn + 1
    settled(shop)


def set_aside(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    (shop.folder / f"machine{STRANGE}").write_text(f"turn {turn}\n")
    shop.run("serve", "--once")


def back_again(shop: Shop, turn: int) -> None:
    assert (shop.folder / f"machine{STRANGE}").read_text() == f"turn {turn}\n"
    assert listed(shop) == []
    shop.looked("ledger", "verify")


def strange(shop: Shop, turn: int) -> None:
    shop.declare()
    if turn == 0:
        shop.run("apply")
    (shop.folder / f"machine{STRANGE}").write_text(f"turn {turn}\n")


def declared(shop: Shop, turn: int) -> None:
    assert (shop.folder / "vitrify.yaml").read_text().count(f'content: "turn {turn}\\n"') == 1
    assert json.loads(shop.looked("plan", "-o", "json"))["servers"][0]["changes"] == []
    shop.looked("ledger", "verify")


def broken_into(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    (instance,) = [name for name in shop.running() if name not in [entry["id"] for entry in listed(shop)]]
    shop.break_into(instance)


def replaced_and_kept(shop: Shop, turn: int) -> None:
    assert shop.get() == (200, "one")
    assert len(shop.running()) == 1
    assert len(listed(shop)) == turn + 1
    for entry in listed(shop):
        layers = json.loads((shop.run_folder / "instances" / entry["id"] / "spec.json").read_text())["layers"]
        assert (Path(layers[0]["upper"]) / "backdoor").exists()
    settled(shop)


def listed(shop: Shop) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(shop.looked("quarantine", "list", "-o", "json"))["entries"]
    return found


def settled(shop: Shop) -> None:
    shop.looked("ledger", "verify")
    shop.looked("audit", "--detailed-exitcode")


ANSWERS = {
    "answer in place": Story(IN_PLACE, in_the_way, ("serve", "--once"), put_right, daily=("respond", "quarantine.")),
    "evidence put back": Story(IN_PLACE, set_aside, ("quarantine", "put-back", STRANGE), back_again, daily=("quarantine-",)),
    "drift adopted": Story({"lifecycle": "mutable"}, strange, ("audit", "adopt", STRANGE), declared, daily=("adopt",)),
    "evidence of an instance": Story(
        {"more": ANSWERING, "keep_warm": "0s"}, broken_into, ("serve", "--once"), replaced_and_kept, daily=("instance-quarantine",)
    ),
}


def over(shop: Shop, story: Story) -> bool:
    """Whether the killed one had come to its end: said again it would ask for something that is not there any more."""
    ends = {"put-back": "quarantine.back", "adopt": "adopt.done"}
    newest = json.loads(shop.looked("ledger", "show", "-n", "1", "-o", "json"))["entries"]
    return bool(newest) and len(story.words) > 1 and newest[0]["kind"] == ends.get(story.words[1])
