"""What is said of a server on many hosts: grouped by host, each in a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vitrify.core.plan import HostProblem, Plan, ReleasePlan
from vitrify.core.report import Applied, InstanceStatus, PlaceStatus, Released, ReleaseStatus, ServerStatus

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

WEST = InstanceStatus("web-r1-a", 1, "live", "running", "127.0.0.1:20000", 60.0, 0, "ok")
STANDS = ServerStatus(
    "web",
    "immutable",
    ("ssh://east", "ssh://west"),
    live=2,
    previous=1,
    instances=(WEST,),
    places=(
        PlaceStatus("ssh://east", 2, 1, url="http://east:8080/", problem="east does not answer"),
        PlaceStatus("ssh://west", 1, instances=(WEST,), unfinished="release of release 2"),
        PlaceStatus("ssh://gone", 1, declared=False),
    ),
)


def test_status_is_grouped_by_host(console: Console) -> None:
    console.app.status_is = (STANDS,)

    told = console("status").out

    assert "release 2 is live on 1 of 3 hosts" in told
    assert "ssh://east  release 2 is live, release 1 is previous  http://east:8080/" in told
    assert "problem east does not answer" in told
    assert told.index("ssh://west  release 1 is live") < told.index("unfinished release of release 2") < told.index("web-r1-a")
    assert "abandoned declared there no more; `vitrify retire web --host ssh://gone` takes it away" in told


def test_status_is_a_document_with_a_place_for_each_host(console: Console) -> None:
    console.app.status_is = (STANDS,)

    (server,) = json.loads(console("status", "-o", "json").out)["servers"]

    assert [(place["host"], place["live"], place["declared"]) for place in server["places"]] == [
        ("ssh://east", 2, True),
        ("ssh://west", 1, True),
        ("ssh://gone", 1, False),
    ]


def test_releases_say_on_how_many_hosts_they_are_live(console: Console) -> None:
    console.app.releases_is = (ReleaseStatus("web", 2, "live", "live", "sha256:aa", 1.0, 4, ("ssh://east", "ssh://west")),)

    assert "live on 2" in console("releases").out
    assert json.loads(console("releases", "-o", "json").out)["releases"][0]["live_on"] == ["ssh://east", "ssh://west"]


def test_an_apply_tells_each_host_in_a_line_and_who_serves_again(console: Console) -> None:
    returned = (
        Released("web", "returned", 1, None, "", (), host="ssh://east"),
        Released("web", "returned", 0, None, "", (), host="ssh://new"),
    )
    problem = HostProblem("web", "ssh://west", "west does not answer", unreachable=True)
    console.app.applied_is = Applied(releases=returned, problems=(problem,), held=(("web", "ssh://south"),), stopped=True)

    ended = console("apply", "-y")

    assert ended.code == 4
    assert "web on ssh://east: release 1 serves again" in ended.out
    assert "web on ssh://new: nothing served before" in ended.out
    assert "web on ssh://west: unreachable" in ended.out
    assert "web on ssh://south: left as it is, because of what failed before it" in ended.out


def test_a_plan_says_which_release_a_host_joins_with(console: Console) -> None:
    joining = ReleasePlan("web", "ssh://west", "join", 2, 1, ("release 2 is what ssh://east has",), launch=1)
    console.app.plan_is = Plan("shop", "sha256:aa", (joining,))

    told = " ".join(console("plan").out.split())

    assert "join with release 2 in place of 1 release 2 is what ssh://east has" in told


def test_retiring_one_host_is_asked_for_by_name(console: Console) -> None:
    told = console("retire", "web", "--host", "ssh://gone", "-y")

    assert "Retired web on ssh://gone: 2 instances stopped and discarded." in told.out
