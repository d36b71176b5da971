"""What answers were like is read from the lines of access logs, and from no more of them than it takes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import silence
from vitrify.core.resource import Kinds
from vitrify.onhost.context import Context
from vitrify.onhost.measuring import measured
from vitrify.onhost.routes import HostedRoute, HostedRouter, write_router
from vitrify.onhost.slots import Leading, make_set

BLUE, GREEN = "127.0.0.1:8001", "127.0.0.1:8002"
NOW = 1_800_000_000.0


def none(_: str) -> bytes:
    raise AssertionError("no content is asked for")


CONTEXT = Context(silence, none, lambda _: None, Kinds([]), time.time)


@pytest.fixture(params=["caddy", "haproxy"])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A server that leads to blue since `NOW`."""
    (tmp_path / "routers/edge").mkdir(parents=True)
    write_router(str(tmp_path / "routers/edge"), HostedRouter(":80", "off", (HostedRoute("web"),), request.param))
    leads(tmp_path, Leading("r1", (BLUE,)), NOW)
    return tmp_path


def leads(home: Path, leading: Leading, since: float) -> None:
    make_set(str(home / "traffic/web"), leading)
    os.utime(home / "traffic/web" / leading.place, (since, since))


def answer(ended: float, **more: JSON) -> JSONObject:
    return {"ts": ended, "status": 200, "to": f"tcp/{BLUE}", "took_ms": "2", "duration": 9.0, **more}


def log(home: Path, *lines: JSONObject, name: str = "access.log") -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    for file in (name, {"access.log": "log"}.get(name, "log.1")):  # as Caddy keeps it, and as a shim does
        (home / "routers/edge" / file).write_text(text)


def ask(home: Path, *addresses: str) -> JSONObject:
    return measured(CONTEXT, {"home": str(home), "server": "web", "addresses": list(addresses)})


def test_answers_since_the_switch_are_counted_and_no_other(home: Path) -> None:
    log(home, answer(NOW - 1), answer(NOW + 1), answer(NOW + 2, status=502, took_ms="40"), answer(NOW + 3, to=f"tcp/{GREEN}"))

    assert ask(home, BLUE) == {"requests": 2, "errors": 1, "p95": 0.04}
    assert ask(home, GREEN) == {"requests": 0, "errors": 0, "p95": None}


def test_the_newest_switch_that_gave_a_set_requests_counts_and_a_pause_is_none(home: Path) -> None:
    log(home, answer(NOW + 1), answer(NOW + 11), answer(NOW + 21), answer(NOW + 22, to=GREEN))
    leads(home, Leading("r1", (BLUE,), "r2", (GREEN,), 5), NOW + 10)
    leads(home, Leading("r1", (BLUE,), "r2", (GREEN,), 5, hold="30"), NOW + 20)

    assert ask(home, BLUE)["requests"] == 2
    assert ask(home, GREEN)["requests"] == 1


def test_files_before_the_last_one_are_read_too_and_lines_of_others_passed_over(home: Path) -> None:
    log(home, answer(NOW + 1), {"level": "warn", "msg": "something else"}, name="access-2027-01-15T08-00-00.000.log")
    log(home, answer(NOW + 2, took_ms=None, duration=0.5), answer(NOW + 3, to=None, status=503))
    with (home / "routers/edge/access.log").open("a") as file:
        file.write('[NOTICE] text of its own\n{"ts": torn')

    assert ask(home, BLUE) == {"requests": 2, "errors": 0, "p95": 0.5}


def test_a_line_may_tell_when_a_request_began_and_how_long_it_lasted(home: Path) -> None:
    began: JSONObject = {"began": NOW - 1, "lasted_ms": 1500, "status": 200, "to": BLUE, "took_ms": 3}
    log(home, began, {**began, "lasted_ms": 500})

    assert ask(home, BLUE)["requests"] == 1


def test_a_stream_counts_for_the_address_that_it_went_to(home: Path) -> None:
    log(home, answer(NOW + 1, to="tcp/[::ffff:127.0.0.1]:8001"))

    assert ask(home, BLUE)["requests"] == 1


def test_a_long_log_is_read_from_where_the_switch_is(home: Path) -> None:
    lines = [answer(NOW - 20_000 + number) for number in range(20_100)]
    log(home, *lines)

    began = time.perf_counter()
    found = ask(home, BLUE)

    assert found["requests"] == 100
    assert time.perf_counter() - began < 0.5
