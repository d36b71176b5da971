"""Host names, known hosts and timezones: what is refused, and what is taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import difference
from vitrify.core.digest import JSON
from vitrify.core.plan import Seen, plan_host
from vitrify.core.resource import Address, Observation, Resource
from vitrify.core.system import Command, Completed, Target
from vitrify.resources.hostname import KERNEL, Hostname
from vitrify.resources.hosts_entry import HostsEntry
from vitrify.resources.known_host import KnownHost
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import Engine, outcomes, quick_folder
from vitrify.testing.memory_system import MemorySystem, Node

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL"
KINDS = all_kinds()


def wished(kind: str, **fields: JSON) -> Resource:
    return Resource(Address(kind, KINDS[kind].identity(fields)), fields)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield Engine(folder)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("hosts_entry", {"address": "10.0.0", "names": ["a"]}, "is not an IP address"),
        ("hosts_entry", {"address": "10.0.0.1", "names": ["a b"]}, "is not a name of a host"),
        ("hosts_entry", {"address": "10.0.0.1", "names": ["a#b"]}, "is not a name of a host"),
        ("known_host", {"name": "a,b", "key": KEY}, "is not a host"),
        ("known_host", {"name": "a", "key": f"b {KEY}"}, "this is a key of 'b'"),
        ("known_host", {"name": "a"}, "`key`"),
        ("hostname", {"name": "web_1"}, "is not the name of a host"),
        ("hostname", {"name": "-web"}, "is not the name of a host"),
        ("hostname", {"name": "a" * 64 + ".b"}, "is not the name of a host"),
        ("timezone", {"name": "../../etc/shadow"}, "is not a timezone"),
    ],
)
def test_what_has_no_such_form_is_refused(kind: str, fields: dict[str, JSON], said: str) -> None:
    problems = KINDS[kind].schema.problems(fields)

    assert [problem for problem in problems if said in problem.summary + problem.hint]


def test_a_machine_cannot_be_without_a_name_or_a_time() -> None:
    for kind in ("hostname", "timezone"):
        assert KINDS[kind].schema.problems({"name": "x"}, absent=True)


def test_an_address_that_changes_is_a_change_of_the_same_entry(engine: Engine) -> None:
    engine.apply(wished("hosts_entry", address="10.0.0.1", names=["db"]))

    planned = engine.plan(wished("hosts_entry", address="10.0.0.2", names=["db"]))
    answer = engine.apply(wished("hosts_entry", address="10.0.0.2", names=["db"]), run="r2")

    assert HostsEntry().identity({"address": "::1", "names": ["db"]}) == "db#ipv6"
    assert str(planned["changes"]).count("'action'") == 1
    assert outcomes(answer) == ["done"]
    assert (engine.root / "etc/hosts").read_text() == "10.0.0.2\tdb\n"


def test_hosts_are_taken_back_byte_for_byte(engine: Engine) -> None:
    before = "127.0.0.1 localhost\n10.0.0.9   db # by hand"
    (engine.root / "etc/hosts").write_text(before)
    engine.apply(wished("hosts_entry", address="10.0.0.1", names=["db"]), wished("known_host", name="git", key=KEY))

    engine.call("undo", run="")

    assert (engine.root / "etc/hosts").read_text() == before
    assert not (engine.root / "etc/ssh").exists()


def test_a_name_is_hashed_the_same_in_every_run() -> None:
    written = []
    for _ in range(2):
        system = MemorySystem()
        resource = wished("known_host", name="git", key=KEY, hashed=True)
        change = difference(resource, desired=KnownHost().desired(resource), seen=KnownHost().observe(resource, system))
        assert change
        KnownHost().enact(change, system)
        written.append(system.read("/etc/ssh/ssh_known_hosts"))

    assert written[0] == written[1]
    assert b"git" not in written[0]


def running(*, code: int = 0) -> MemorySystem:
    def hostname(system: MemorySystem, command: Command) -> Completed:
        if code == 0:
            system.put(KERNEL, Node("file", content=f"{command.argv[2]}\n".encode()))
        return Completed(code, "", "you must be root")

    system = MemorySystem(target=Target.HOST, programs={"hostname": hostname})
    system.put(KERNEL, Node("file", content=b"old\n"))
    system.put("/etc/hostname", Node("file", content=b"web1\n"))
    return system


def test_a_running_host_goes_by_the_name_at_once_and_by_the_old_one_after_an_undo() -> None:
    kind, system, resource = Hostname(), running(), wished("hostname", name="web1")
    change = difference(resource, desired=kind.desired(resource), seen=kind.observe(resource, system))
    assert change
    assert kind.because(change) == ("goes by old",)

    kind.enact(change, system)
    taken = kind.observe(resource, system).properties["in_use"]
    system.put("/etc/hostname", Node("file", content=b"old\n"))
    kind.settle(resource, system)

    assert (taken, system.read(KERNEL)) == ("web1", b"old\n")


def test_a_name_that_is_not_taken_is_a_failure_that_says_why() -> None:
    kind, system, resource = Hostname(), running(code=1), wished("hostname", name="web1")
    change = difference(resource, desired=kind.desired(resource), seen=kind.observe(resource, system))
    assert change

    with pytest.raises(TargetFailed, match="does not take the name web1") as failed:
        kind.enact(change, system)

    assert "you must be root" in str(failed.value)


def test_a_zone_that_the_plan_brings_along_is_assumed() -> None:
    zone = wished("timezone", name="Europe/Berlin")
    package = Resource(Address("file", "/x"), {"path": "/x"})
    kind = KINDS["timezone"]
    seen = {zone.address: kind.observe(zone, MemorySystem()), package.address: Observation(package.address, {"type": "missing"})}
    (change,) = plan_host([zone], Seen(seen, ()), kinds=KINDS, diff=lambda _, __: "").changes

    assert kind.assumed(change, {}) == ""
    assert kind.assumed(change, {Address("package", "tzdata"): change}) == "package:tzdata brings the zone"
