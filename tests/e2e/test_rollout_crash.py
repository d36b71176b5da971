"""Killed at every intent, act and outcome, for real: the same command again ends what was begun, and nothing is left over.

The points are not listed anywhere: each story is run once undisturbed and tells which it passes, then it is killed at each. The proof
`rollout` does so in five parts, in orders that their seeds decide and at any of the times that a point is passed, while clients ask.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.amount import part

from answer_stories import ANSWERS, over
from asking import Load
from conftest import BuildShop
from contained import lend
from shop import Shop
from steps import steps_in_source
from story import Story
from vitrify.ledger.keys import generate

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def nothing(_: Shop, __: int) -> None:
    """What is arranged for the next time where the last one left all in place."""


def newer(shop: Shop, turn: int) -> None:
    shop.declare(greeting=f"turn-{turn}")


def replaced(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    newer(shop, turn)


def retired(shop: Shop, turn: int) -> None:
    shop.run("retire", "web", expect=None)
    newer(shop, turn)


def released(shop: Shop, turn: int) -> None:
    newer(shop, turn)
    shop.run("apply")


def served(shop: Shop, _: int) -> None:
    shop.run("apply")


def served_once(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")


def two_releases(shop: Shop, turn: int) -> None:
    if shop.greeting == "one":
        shop.run("apply")
    released(shop, turn)


def ill(shop: Shop, _: int) -> None:
    if shop.greeting == "one":
        shop.run("apply")
    shop.declare(greeting="ill")


def falls_ill(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    shop.declare(greeting=f"falls-ill-{turn}", probation="20s")  # nobody waits for so long: it is ill before


def tampered(shop: Shop, turn: int) -> None:
    newer(shop, turn)
    target = shop.folder / "machine/srv/app/serve.py"
    if target.exists():
        target.write_text("intruder\n")


MIGRATING = {
    "keep_warm": "0s",  # what the release before owes is due at once, so that one apply contracts, expands and switches
    "migration": ", expand: [{command: [/bin/true], on: control}], contract: [{command: [/bin/true], on: control}]",
}
HOOKED = {"lifecycle": "mutable", "more": "    hooks: [{before: apply, command: [/bin/true]}]\n"}


def router_lost(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    told = json.loads((shop.run_folder / "routers/edge/state.json").read_text())
    os.kill(told["shim"]["pid"], signal.SIGKILL)


TWO_HOSTS = {
    "lifecycle": "mutable",
    "hosts": '["root:./machine", "root:./other"]',
    "health": "command: [/usr/bin/grep, -q, one, /srv/app/greeting.txt]",
    "grace": "200ms",
}


def ill_in_place(shop: Shop, turn: int) -> None:
    if turn == 0:
        for host in ("machine", "other"):
            (shop.folder / host).mkdir(exist_ok=True)
            lend("/usr/bin/grep", shop.folder / host)
        shop.run("apply")
    newer(shop, turn)


def taken_back(shop: Shop, _: int) -> None:
    for host in ("machine", "other"):
        assert (shop.folder / host / "srv/app/greeting.txt").read_text() == "one\n"
    shop.looked("ledger", "verify")


def serves_this(shop: Shop, turn: int) -> None:
    assert_whole(shop, serving=f"turn-{turn}")


def serves_one(shop: Shop, _: int) -> None:
    assert_whole(shop, serving="one")


def serves_nothing(shop: Shop, _: int) -> None:
    assert shop.running() == []
    shop.looked("ledger", "verify")


def converged(shop: Shop, turn: int) -> None:
    folder = shop.folder / "machine/srv/app"
    assert (folder / "greeting.txt").read_text() == f"turn-{turn}\n"
    assert (folder / "serve.py").read_text() == (shop.folder / "serve.py").read_text()
    assert_settled(shop)


def undone(shop: Shop, turn: int) -> None:
    greeting = shop.folder / "machine/srv/app/greeting.txt"
    assert greeting.exists() is (turn > 0)
    assert turn == 0 or greeting.read_text() == "turn-0\n"
    shop.looked("ledger", "verify")
    if turn == 0:
        shop.run("apply")  # the next times take back a second apply, and never the first


def waits_beside_one(shop: Shop, _: int) -> None:
    """Nobody was promoted: the first release serves, and one other has its share."""
    found = json.loads(shop.looked("status", "-o", "json"))["servers"][0]
    assert (found["rollout"]["phase"], found["rollout"]["percent"], found["live"]) == ("waiting", 5, 1)
    assert len(shop.running()) == 2
    shop.looked("ledger", "verify")


def held_and_let_go(shop: Shop, _: int) -> None:
    assert json.loads(shop.looked("status", "-o", "json"))["servers"][0]["paused"]
    shop.run("resume", "web")
    assert shop.get() == (200, "one")


def strange(shop: Shop, turn: int) -> None:
    if turn == 0:
        shop.run("apply")
    (shop.folder / "machine/srv/app/strange").write_text(f"turn {turn}\n")


def nothing_strange(shop: Shop, _: int) -> None:
    assert_settled(shop)


def planned(shop: Shop, turn: int) -> None:
    newer(shop, turn)
    shop.run("plan")


def hands_over(shop: Shop, _: int) -> None:
    keys = shop.document("key", "list")["keys"]
    assert [key["ours"] for key in keys if key["state"] == "author"] == [True]
    shop.run("plan")
    shop.looked("ledger", "verify")


def mistrusted(shop: Shop, turn: int) -> None:
    planned(shop, turn)
    path = shop.folder / "vitrify.keys"
    kept = [line for line in path.read_text().splitlines() if "bob@desk" not in line]
    path.write_text("\n".join([*kept, f"author {generate('bob@desk').verifier}"]) + "\n")


def counts_no_more(shop: Shop, _: int) -> None:
    assert "retired bob@desk" in (shop.folder / "vitrify.keys").read_text()
    shop.looked("ledger", "verify")


STORIES = {
    "first release": Story({}, retired, ("apply",), serves_this, daily=("begin", "launch", "instance-start", "router-ensure", "ledger")),
    "release": Story(
        {},
        replaced,
        ("apply",),
        serves_this,
        daily=("gate", "switch.", "router-switch", "probation", "drain", "retire", "instance-stop"),
        serves=True,
    ),
    "ill release": Story({"grace": "300ms"}, ill, ("apply",), serves_one, ends=7, daily=("abort", "lease"), serves=True),
    "release that falls ill": Story({}, falls_ill, ("apply",), serves_one, ends=7, daily=("switch_back",)),
    "migration": Story(MIGRATING, replaced, ("apply",), serves_this, daily=("contract", "expand")),
    "rollback": Story({}, two_releases, ("rollback", "web"), serves_one, daily=("begin", "switch.", "retire"), serves=True),
    "canary that waits": Story(
        {"rollout": ", strategy: canary, steps: [5%], preview: next.test"},
        replaced,
        ("apply",),
        waits_beside_one,
        daily=("preview", "canary", "wait"),
        serves=True,
    ),
    "promotion": Story({"rollout": ", promote: manual"}, released, ("promote", "web"), serves_this, daily=("promote",), serves=True),
    "rolling release": Story({"rollout": ", strategy: rolling"}, replaced, ("apply",), serves_this, daily=("roll.",), serves=True),
    "recreated release": Story({"rollout": ", strategy: recreate"}, replaced, ("apply",), serves_this, daily=("stop.",), serves=True),
    "pause": Story({}, served_once, ("pause", "web"), held_and_let_go, daily=("pause", "router-hold")),
    "retirement": Story({}, released, ("retire", "web"), serves_nothing, daily=("router-release", "instance-stop", "instance-discard")),
    "entry": Story(
        {}, served, ("exec", "web", "--break-glass", "it burns", "--", "/bin/true"), serves_one, daily=("exec", "instance-mark")
    ),
    "apply in place": Story(HOOKED, tampered, ("apply",), converged, daily=("hook", "batch", "apply", "run", "enact", "each")),
    "looking after": Story({}, router_lost, ("serve", "--once"), serves_one, daily=("router-revive",)),
    "acceptance": Story(
        {"lifecycle": "mutable"}, strange, ("audit", "accept", "/srv/app/strange", "--reason", "ours"), nothing_strange, daily=("accept",)
    ),
    "batch that is ill": Story(TWO_HOSTS, ill_in_place, ("apply",), taken_back, ends=3, daily=("batch",)),
    "rotated key": Story({"lifecycle": "mutable"}, planned, ("key", "rotate"), hands_over, daily=("key-rotate",)),
    "revoked key": Story(
        {"lifecycle": "mutable"}, mistrusted, ("key", "revoke", "bob@desk", "--lost"), counts_no_more, daily=("key-revoke",)
    ),
    "undo": Story({"lifecycle": "mutable"}, released, ("undo", "web"), undone, daily=("undo",)),
    **ANSWERS,
}


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share: the points that a story was seen to pass, in a file of its name."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "seen"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("name", STORIES)
def test_killed_at_any_point_the_same_command_ends_it(
    name: str, build_shop: BuildShop, seen: Path, record_property: Callable[[str, object], None]
) -> None:
    story, shop = STORIES[name], build_shop(**STORIES[name].begin)
    every = passed(story, shop)
    (seen / name).write_text("\n".join(every))
    points = [point for point in every if "VITRIFY_PROVE" in os.environ or point.startswith(story.daily)]
    story.check(shop, 0)
    killed = 0

    with asked(shop, story) as told:
        for turn, point in enumerate(turns(points, every), start=1):
            story.arrange(shop, turn)
            killed += kill_at(point, shop, story)
            finish(shop, story)
            story.check(shop, turn)

    note = f"{name}: {len(points)} points, killed and recovered {killed} times"
    record_property("note", ", ".join([note, *told]))


def turns(points: list[str], every: Counter[str]) -> list[str]:
    """Where to kill: at each point; in every further part of a proof at any of the times that it is passed, in another order."""
    if part() == 1:
        return points
    return [f"{point}#{random.randint(1, every[point])}" for point in random.sample(points, len(points))]  # noqa: S311  no secret


@contextmanager
def asked(shop: Shop, story: Story) -> Iterator[list[str]]:
    """In a proof: clients ask within, and are answered every time; gives what to tell of them."""
    told: list[str] = []
    if not (story.serves and "VITRIFY_N_ROLLOUT" in os.environ):
        yield told
        return
    load = Load(shop, "--connections", "2", "--seconds", "86400", "--timeout", "60")
    try:
        yield told
    finally:
        report = load.ended()
    told.append(f"{report['requests']} requests, {report['lost']} lost")
    assert report["lost"] == 0, report["errors"]


@pytest.mark.last
def test_every_crash_point_in_the_source_is_killed_every_day_by_one_of_these_stories(build_shop: BuildShop, seen: Path) -> None:
    killed: set[str] = set()
    for name, story in STORIES.items():
        told = seen / name
        points = told.read_text().split() if told.exists() else passed(story, build_shop(**story.begin))
        killed |= {point for point in points if point.startswith(story.daily)}

    assert steps_in_source() <= killed


def passed(story: Story, shop: Shop) -> Counter[str]:
    """Every point that an undisturbed run of this story passes, in order, and how often."""
    log = shop.folder.parent / "reached"
    story.arrange(shop, 0)
    shop.run(*story.words, expect=story.ends, VITRIFY_FAILPOINT_LOG=str(log))
    return Counter(log.read_text().split())


def kill_at(where: str, shop: Shop, story: Story) -> bool:
    """End the process that reaches this point, ours or the payload that it works through; False where it never came so far.

    `POINT#3` is the third time, and may not come: how often a point is passed depends on what was there before.
    """
    point, _, times = where.partition("#")
    log = shop.folder.parent / "killed"
    log.unlink(missing_ok=True)
    killed = shop.run(*story.words, expect=None, VITRIFY_FAILPOINT=where, VITRIFY_FAILPOINT_LOG=str(log))
    reached = log.read_text().split().count(point)
    assert reached, f"{point} was not reached"
    if reached < int(times or 1):
        return False
    if point.startswith("lease."):
        return True  # a lease is given back when all is done: a payload that dies of it takes nothing away from that
    if story.words[0] == "exec" and "not replaced" in killed.stdout:
        return True  # what was entered ended well, and it is told that its instance is still there: that is ended by the next command
    assert killed.returncode not in (0, story.ends), f"not killed at {where}: {killed.returncode}\n{killed.stderr}"
    return True


def finish(shop: Shop, story: Story) -> None:
    """The same command again, unless the killed one had nothing left to do but say so."""
    if story.words[0] in ("rollback", "promote", "retire") and begun(shop) and not open_operation(shop):
        return
    if story.words[0] == "undo" and json.loads(shop.looked("ledger", "show", "-n", "1", "-o", "json"))["entries"][0]["kind"] == "undo.done":
        return
    if not over(shop, story):
        shop.run(*story.words, expect=story.ends)


def begun(shop: Shop) -> bool:
    """Whether the killed one came farther than to ask for its lease: else it did nothing at all."""
    return set((shop.folder.parent / "killed").read_text().split()) > {"lease.intent"}


def open_operation(shop: Shop) -> bool:
    return bool(json.loads(shop.looked("status", "-o", "json"))["servers"][0]["unfinished"])


def assert_whole(shop: Shop, *, serving: str) -> None:
    """What serves is what was asked for; one instance of it; nothing lost, doubled or orphaned; the ledger holds."""
    assert shop.get() == (200, serving)
    rows = json.loads(shop.looked("releases", "web", "-o", "json"))["releases"]
    assert [row["running"] for row in rows if row["slot"] == "live"] == [1], rows
    assert len({row["number"] for row in rows}) == len(rows)
    slots = {row["number"] for row in rows if row["slot"]}
    owners = [int(name.split("-r")[1].split("-")[0]) for name in shop.running()]
    assert set(owners) <= slots, (shop.running(), slots)
    assert len(set(owners)) == len(owners), shop.running()
    assert_settled(shop)


def assert_settled(shop: Shop) -> None:
    shop.looked("ledger", "verify")
    shop.looked("audit", "--detailed-exitcode")


def test_the_stories_leave_no_process_behind(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    shop.run("retire", "web")

    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(shop.home).encode() in command]
