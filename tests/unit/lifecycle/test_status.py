"""Status tells what stands where; a host that cannot be asked is a row with a problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, a_server, do, in_place

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.report import ReleaseStatus, ServerStatus
from vitrify.lifecycle import mutable, undoing
from vitrify.lifecycle.listing import logs, releases
from vitrify.lifecycle.status import status
from vitrify.testing.engine import quick_folder


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def row(bench: Bench, server: Server) -> ServerStatus:
    (found,) = do(status([server], bench.world))
    return found


def rows(bench: Bench) -> tuple[ReleaseStatus, ...]:
    return do(releases(["web"], bench.world)).rows


def read(bench: Bench, name: str) -> str:
    return do(logs(name, bench.world, lines=10)).text


def converge(bench: Bench, server: Server) -> str:
    host = server.hosts[0]
    return do(mutable.apply(server, host, do(mutable.plan(server, host, bench.world)), bench.world)).run


def test_a_server_that_was_never_applied_is_empty(bench: Bench, root: Path) -> None:
    assert row(bench, a_server()) == ServerStatus("web", "immutable", ("local",))
    assert row(bench, in_place(root)) == ServerStatus("web", "mutable", ("machine",))


def test_a_mutable_server_tells_what_it_owns_and_its_newest_run_that_stands(bench: Bench, root: Path) -> None:
    first = converge(bench, in_place(root, ("/etc/motd", "one\n")))
    bench.clock.let_pass(60)
    second = converge(bench, in_place(root, ("/etc/motd", "two\n"), ("/etc/issue", "debian\n")))

    found = row(bench, in_place(root))
    assert (found.owned, found.last_run, found.last_by, found.last_at) == (2, second, "ada@laptop", bench.clock.now())

    do(undoing.undo(in_place(root), in_place(root).hosts[0], bench.world))
    assert row(bench, in_place(root)).last_run == first


def test_a_run_that_was_cut_short_shows(bench: Bench, root: Path) -> None:
    with bench.killed_at("enact.act"):
        converge(bench, in_place(root, ("/etc/motd", "one\n")))

    assert row(bench, in_place(root)).unfinished == bench.bodies("apply.intended")[0]["operation"]


def test_an_immutable_server_tells_slots_instances_and_its_address(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    bench.clock.let_pass(60)

    found = row(bench, a_server("two"))

    assert (found.live, found.previous, found.url, found.unfinished) == (2, 1, "http://127.0.0.1:8080/", "")
    assert [(one.release, one.slot, one.health) for one in found.instances] == [(1, "previous", "ok"), (2, "live", "ok")]
    assert found.instances[1].address == bench.address(found.instances[1].id)
    assert found.instances[1].age_seconds >= 60


def flipped(bench: Bench, root: Path) -> Server:
    """A server that was released, twice, and is changed in place now."""
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    server = in_place(root, ("/etc/motd", "two\n"))
    converge(bench, server)
    return server


def notices(bench: Bench, server: Server) -> tuple[str, ...]:
    return do(mutable.plan(server, server.hosts[0], bench.world)).notices


def test_after_a_flip_to_mutable_the_instances_that_still_run_are_shown_until_they_are_retired(bench: Bench, root: Path) -> None:
    server = flipped(bench, root)

    found = row(bench, server)
    assert (found.lifecycle, found.owned, found.live, found.url) == ("mutable", 1, 2, "http://127.0.0.1:8080/")
    assert [(one.release, one.slot) for one in found.instances] == [(1, "previous"), (2, "live")]

    bench.retire()
    found = row(bench, server)
    assert (found.live, found.url, found.instances) == (None, "", ())


def test_after_a_flip_to_mutable_the_plan_names_what_takes_the_instances_away(bench: Bench, root: Path) -> None:
    server = flipped(bench, root)
    told = "flipped from immutable to mutable: instances of releases 1, 2 go on serving until `vitrify retire web --only instances`"
    first, *meaning = notices(bench, server)
    assert first == told
    assert meaning[0].startswith("carries over onto "), "and what the flip means is said behind it"

    assert notices(bench, replace(server, resources=())) == (), "its own retirement does not ask for the other one"

    bench.retire()
    assert notices(bench, server) == ()


def test_after_a_flip_in_the_middle_of_a_rollout_the_plan_says_that_it_has_not_ended(bench: Bench, root: Path) -> None:
    flipped(bench, root)
    with bench.killed_at("gate.intent"):
        bench.apply(a_server("three"))
    server = in_place(root, ("/etc/motd", "two\n"))

    assert "the rollout of release 3 has not ended: `vitrify abort web` takes it back" in notices(bench, server)


def test_instances_are_shown_with_the_first_of_many_hosts(bench: Bench, root: Path) -> None:
    server = flipped(bench, root)
    other = replace(server.hosts[0], name="other")

    assert do(mutable.plan(replace(server, hosts=(*server.hosts, other)), other, bench.world)).notices == ()


def test_an_instance_is_asked_for_its_health_as_its_own_release_wants_it(bench: Bench) -> None:
    bench.apply(a_server("one", health=None))
    bench.apply(a_server("two"))
    for instance in bench.running():
        bench.runtime.fall_ill(instance, reason="says 500")

    assert [one.health for one in row(bench, a_server("two")).instances] == ["", "says 500"]


def test_instances_of_a_rollout_under_way_are_next_and_those_of_nobody_are_nothing(bench: Bench) -> None:
    bench.apply(a_server("one"))
    with bench.killed_at("gate.act"):
        bench.apply(a_server("two"))

    found = row(bench, a_server("two"))
    assert found.unfinished == "release of release 2"
    assert [one.slot for one in found.instances] == ["live", "next"]

    orphan = bench.instances(release=2)[0]
    bench.apply(a_server("three"))
    bench.start_again(orphan)
    assert {one.release: one.slot for one in row(bench, a_server("three")).instances} == {1: "previous", 2: "", 3: "live"}


def test_a_host_that_cannot_be_asked_is_a_problem_of_its_row_alone(bench: Bench, root: Path) -> None:
    gone = replace(in_place(root / "nowhere"), name="db")

    found = do(status([gone, a_server()], bench.world))

    assert ["is no" in one.problem or "no folder" in one.problem for one in found] == [True, False]


def test_of_a_mutable_server_one_host_that_is_ill_keeps_no_other_from_telling(bench: Bench, root: Path) -> None:
    server = in_place(root, ("/etc/motd", "one\n"))
    run = converge(bench, server)
    other = in_place(root / "nowhere").hosts[0]

    found = row(bench, replace(server, hosts=(replace(other, name="gone"), server.hosts[0])))

    assert (found.owned, found.last_run) == (1, run)
    assert [(one.host, one.unreachable) for one in found.problems] == [("gone", False)]
    assert found.problem


def test_releases_are_listed_newest_first_with_what_runs_of_them(bench: Bench) -> None:
    for greeting in ("one", "two", "three"):
        bench.apply(a_server(greeting))

    assert [(one.number, one.state, one.slot, one.running) for one in rows(bench)] == [
        (3, "live", "live", 1),
        (2, "warm", "previous", 1),
        (1, "stopped", "", 0),
    ]


def test_a_release_is_warm_as_long_as_its_instances_run(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    bench.clock.let_pass(600)

    assert [(one.state, one.running) for one in rows(bench)] == [("live", 1), ("stopped", 0)]


def test_logs_of_a_server_are_those_of_its_running_instances(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    first, second = bench.serving()

    assert read(bench, "web") == f"==> {first} <==\n{first} started\n==> {second} <==\n{second} started\n"
    assert read(bench, first) == f"{first} started\n"


def test_an_instance_that_ended_is_read_by_its_own_name(bench: Bench) -> None:
    bench.apply(a_server("one"))
    (old,) = bench.serving()
    bench.apply(a_server("two"))
    bench.clock.let_pass(600)

    assert read(bench, old) == f"{old} started\n"


def test_logs_of_an_unknown_name_tell_which_there_are(bench: Bench) -> None:
    with pytest.raises(UsageInvalid) as none:
        read(bench, "web")
    bench.apply(a_server())
    with pytest.raises(UsageInvalid) as other:
        read(bench, "wbe")

    assert none.value.diagnostics[0].hint == "instances: there is none"
    assert other.value.diagnostics[0].hint == f"instances: {bench.serving()[0]}"
