"""`serve` goes by the declaration as it is now, one process for a project; and the unit that keeps it running says what it must."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import os
import socket
from functools import partial
from pathlib import Path

import pytest

from vitrify.app import serving, started_by
from vitrify.app.serve_pages import document
from vitrify.app.serve_unit import Unit, flags, uninstall
from vitrify.app.serving import Readings
from vitrify.app.wiring import Wiring
from vitrify.core.asked import Scope
from vitrify.core.diagnostic import Busy, DeclarationInvalid
from vitrify.core.event import Event
from vitrify.lifecycle.duty import Charge

SHOP = """
version: 1
project: shop
schedule: {{audit: {audit}}}
servers:
  web: {{lifecycle: mutable, hosts: ["root:./machine"], resources: [{{directory: /srv}}]}}
  db: {{lifecycle: mutable, hosts: ["root:./other"], schedule: {{keep: never}}, resources: [{{directory: /srv}}]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for folder in ("shop", "shop/machine", "shop/other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shop/vitrify.yaml").write_text(SHOP.format(audit="1h"))
    return tmp_path / "shop"


def readings(shop: Path, events: list[Event], *, limit: tuple[str, ...] = (), **more: str) -> Readings:
    environ = {"VITRIFY_HOME": str(shop.parent / "home"), "PATH": os.environ["PATH"], **more}
    begin = partial(Wiring, emit=events.append, environ=environ, ask=None)
    return Readings(Scope(folder=str(shop), limit=limit), begin, environ=environ)


def test_a_declaration_that_changed_counts_from_then_on_and_an_invalid_one_only_once_it_is_mended(shop: Path) -> None:
    events: list[Event] = []
    found = readings(shop, events)
    hours: list[float] = []

    async def story() -> None:
        for text in (SHOP.format(audit="1h"), SHOP.format(audit="2h"), "version: 1\n", "version: 1\n", SHOP.format(audit="3h")):
            (shop / "vitrify.yaml").write_text(text)
            await asyncio.sleep(0.1)
            charge = await found(idle=True)
            hours.append(charge.servers[0].schedule.audit / 3600)
            assert found.board.valid is (text != "version: 1\n")
        await found.close()

    asyncio.run(story())

    assert hours == [1, 2, 2, 2, 3]
    told = [event.detail for event in events if event.what == "serve.declaration"]
    invalid = ["until it is mended, what was declared before counts" in each for each in told]
    assert invalid in ([False, True, False], [False, True, True, False]), told
    assert told[0] == told[-1] == "read again: looks after web, db"


def test_a_server_has_the_projects_schedule_but_for_what_it_says_itself(shop: Path) -> None:
    web, db = asyncio.run(readings(shop, [])(idle=True)).servers

    assert (web.schedule.audit, web.schedule.keep) == (3600.0, 10.0)
    assert (db.schedule.audit, db.schedule.keep) == (3600.0, float("inf"))


def test_only_the_chosen_servers_are_looked_after(shop: Path) -> None:
    charge: Charge = asyncio.run(readings(shop, [], limit=("db",))(idle=True))

    assert [server.name for server in charge.servers] == ["db"]


def heard(listener: socket.socket) -> list[str]:
    """What was said there, each state by itself."""
    found: list[str] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found += listener.recv(4096).decode().split("\n")
    return found


@pytest.mark.parametrize("abstract", [False, True])
def test_whoever_started_it_is_told_that_it_is_ready_alive_and_ending(shop: Path, abstract: bool) -> None:  # noqa: FBT001  two kinds of addresses
    name = f"\0vitrify-{shop}"[:100] if abstract else str(shop.parent / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(0)
        found = readings(shop, [], NOTIFY_SOCKET=name.replace("\0", "@"))

        async def story() -> None:
            one = asyncio.create_task(serving.forever(found, listen="127.0.0.1:0"))
            while not found.board.last:  # noqa: ASYNC110  the board tells nobody when it changes
                await asyncio.sleep(0.01)
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)

        asyncio.run(story())
        said = heard(listener)

    assert said[0] == "WATCHDOG=1", "it reads what there is to look after"
    assert said.index("READY=1") < said.index("STOPPING=1") == len(said) - 1
    assert "WATCHDOG=1" in said[said.index("READY=1") :]
    assert any(state.startswith("STATUS=looks after web, db; tells how they are at 127.0.0.1:") for state in said)


@pytest.mark.parametrize("address", ["", "nowhere", "/nobody/listens/here", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_is_said_and_nothing_fails(address: str) -> None:
    started_by.tell({"NOTIFY_SOCKET": address}, started_by.READY)


def test_how_it_is_itself_is_told_with_the_last_turn_of_each_duty(shop: Path) -> None:
    found = readings(shop, [])
    asyncio.run(serving.once(found))

    told = document(found.board, stalled=False)

    assert (told["schema"], told["status"], told["failing"]) == ("vitrify.dev/serve-health/v1", "ok", {})
    turns = told["turns"]
    assert isinstance(turns, list)
    assert [(turn["duty"], turn["server"], turn["outcome"]) for turn in turns if isinstance(turn, dict)] == [
        ("audit", "db", "done"),
        ("audit", "web", "done"),
        ("health", "db", "done"),
        ("health", "web", "done"),
        ("retention", "", "done"),
    ]
    assert all(isinstance(turn, dict) and turn["ended_at"] and turn["seconds"] is not None for turn in turns)


def test_who_looks_after_everything_once_tells_those_who_want_to_know_before_it_ends(shop: Path) -> None:
    told = "notices: [{command: [tee, -a, told.json], on: [audit.done]}]\n"
    (shop / "vitrify.yaml").write_text(SHOP.format(audit="1h") + told)

    asyncio.run(serving.once(readings(shop, [], limit=("web",))))

    assert '"event": "audit.done"' in (shop / "told.json").read_text()


def test_an_invalid_declaration_is_refused_at_the_beginning(shop: Path) -> None:
    (shop / "vitrify.yaml").write_text("version: 1\n")

    with pytest.raises(DeclarationInvalid):
        asyncio.run(serving.once(readings(shop, [])))


def test_a_second_process_is_told_who_the_first_one_is_and_a_dead_one_is_in_nobodys_way(shop: Path) -> None:
    first = readings(shop, [])

    async def two() -> None:
        one = asyncio.create_task(serving.forever(first, listen="127.0.0.1:0"))
        while not first.board.beat_at:  # noqa: ASYNC110  the board tells nobody when it changes
            await asyncio.sleep(0.01)
        try:
            with pytest.raises(Busy, match="another `vitrify serve` looks after this project") as refused:
                await serving.once(readings(shop, []))
            assert "process " in refused.value.diagnostics[0].why
        finally:
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)

    asyncio.run(two())
    served = asyncio.run(serving.once(readings(shop, [], limit=("web",))))

    assert {(turn.duty, turn.server): turn.outcome for turn in served.turns} == {
        ("health", "web"): "done",
        ("audit", "web"): "done",
        ("retention", ""): "done",
    }


def a_unit(**environ: str) -> Unit:
    return Unit(
        "shop", "0123456789abcdef", "/srv/my shop 100%", ("--listen", "127.0.0.1:9464"), {"HOME": "/users/ann", **environ}, system=True
    )


def test_what_the_unit_started_outlives_it() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string(a_unit(VITRIFY_HOME="/var/lib/shop").text)

    assert unit["Service"]["KillMode"] == "process"
    assert unit["Service"]["OOMPolicy"] == "continue"
    assert (unit["Service"]["Type"], unit["Service"]["WatchdogSec"]) == ("notify", "180")
    assert unit["Service"]["WorkingDirectory"] == "/srv/my shop 100%%"
    assert unit["Service"]["ExecStart"].endswith('-m vitrify serve -C "/srv/my shop 100%%" --listen 127.0.0.1:9464')
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_no_secret_of_the_environment_goes_into_the_unit() -> None:
    assert "hunter2" not in a_unit(DATABASE_PASSWORD="hunter2").text  # noqa: S106  that is the point
    assert 'Environment="VITRIFY_HOME=/var/lib/shop"' in a_unit(VITRIFY_HOME="/var/lib/shop").text


def test_each_project_has_a_unit_of_its_own_and_a_user_has_theirs_at_home() -> None:
    users = Unit("shop", "0123456789abcdef", "/srv/shop", (), {"HOME": "/users/ann"}, system=False)

    assert users.path == Path("/users/ann/.config/systemd/user/vitrify-serve-shop-01234567.service")
    assert "WantedBy=default.target" in users.text
    assert "--listen" not in users.text


def test_what_was_said_about_servers_and_values_is_said_by_the_unit_too() -> None:
    said = flags(Scope(limit=("web", "db*"), exclude=("old",), environment="prod", overrides={"x": "a b"}, parallel=3))

    assert said == (*("--limit", "web", "--limit", "db*", "--exclude", "old", "--env", "prod"), "--var", "x=a b", "--parallel", "3")


def test_where_there_is_no_unit_there_is_nothing_to_take_away(tmp_path: Path) -> None:
    assert uninstall(Unit("shop", "0123", "/srv/shop", (), {"XDG_CONFIG_HOME": str(tmp_path)}, system=False)) == ""
