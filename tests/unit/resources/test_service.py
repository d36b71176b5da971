from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Observation, Resource
from vitrify.core.system import Command, Completed, Target
from vitrify.resources.service import Service
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem, Node

SERVICE = Service()
UNIT = "/usr/lib/systemd/system/shop.service"
TEXT = b"[Install]\nWantedBy=multi-user.target\n"
CONF = Address("file", "/etc/shop.conf")


def service(**fields: JSON) -> Resource:
    return Resource(Address("service", "shop"), {"name": "shop", **fields})


def host(systemctl: MemorySystemctl) -> MemorySystem:
    system = MemorySystem(target=Target.HOST, programs={"systemctl": systemctl})
    system.put(UNIT, Node("file", content=TEXT))
    systemctl(system, Command(("systemctl", "daemon-reload")))
    return system


def change(resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=SERVICE.desired(resource), seen=SERVICE.observe(resource, system))


def converge(resource: Resource, system: MemorySystem) -> None:
    made = change(resource, system)
    assert made is not None
    SERVICE.enact(made, system)
    assert change(resource, system) is None


def planned(resource: Resource, *earlier: tuple[str, str]) -> str:
    seen = Observation(resource.address, {"type": "service", "unit": "missing", "running": False, "enabled": False})
    made = difference(resource, desired=SERVICE.desired(resource), seen=seen)
    assert made is not None
    before = [Resource(Address(kind, name), {}) for kind, name in earlier]
    return SERVICE.assumed(made, {one.address: Change(one, Action.CREATE, MISSING, {}) for one in before})


def test_all_services_are_asked_about_by_one_question() -> None:
    systemctl = MemorySystemctl("shop.service")
    system = host(systemctl)

    seen = SERVICE.observe_all([service(running=True), Resource(Address("service", "x.timer"), {"name": "x.timer"})], system)

    assert [one.properties["running"] for one in seen] == [True, False]
    assert [one.properties["unit"] for one in seen] == ["there", "missing"]
    assert [act.subject for act in system.acts if act.verb == "run"] == [
        "systemctl show --property=LoadState,ActiveState,SubState,NeedDaemonReload,Type shop.service x.timer"
    ]


def test_a_service_is_started_once() -> None:
    systemctl = MemorySystemctl()
    converge(service(running=True), host(systemctl))
    assert systemctl.told == [("start", "shop.service")]


def test_a_service_that_shall_not_run_is_stopped() -> None:
    systemctl = MemorySystemctl("shop.service")
    converge(service(running=False), host(systemctl))
    assert systemctl.running == {}


def test_a_masked_service_goes_on_running_unless_it_shall_not() -> None:
    systemctl = MemorySystemctl("shop.service")
    system = host(systemctl)

    converge(service(masked=True), system)
    still = set(systemctl.running)
    converge(service(masked=True, running=False), system)

    assert still == {"shop.service"}
    assert systemctl.running == {}


def test_a_restart_that_is_owed_is_paid_once() -> None:
    systemctl = MemorySystemctl("shop.service")
    system = host(systemctl)
    listening = service(restart_on=[str(CONF)])

    SERVICE.owe(listening, "restart", system)
    SERVICE.owe(listening, "reload", system)
    converge(listening, system)
    SERVICE.settle(listening, system)

    assert systemctl.told == [("restart", "shop.service")]


def test_a_reload_that_is_owed_is_a_reload() -> None:
    systemctl = MemorySystemctl("shop.service")
    system = host(systemctl)
    listening = service(reload_on=[str(CONF)])

    SERVICE.owe(listening, "reload", system)
    converge(listening, system)

    assert systemctl.told == [("reload-or-restart", "shop.service")]


def test_a_restart_stays_owed_where_it_failed() -> None:
    refusing = MemorySystem(
        target=Target.HOST,
        programs={
            "systemctl": lambda where, command: Completed(1, "", "no\n") if command.argv[1] == "restart" else systemctl(where, command)
        },
    )
    systemctl = MemorySystemctl("shop.service")
    refusing.put(UNIT, Node("file", content=TEXT))
    listening = service(restart_on=[str(CONF)])
    SERVICE.owe(listening, "restart", refusing)
    made = change(listening, refusing)
    assert made is not None

    with pytest.raises(TargetFailed, match="restart"):
        SERVICE.enact(made, refusing)

    assert SERVICE.because(made) == ("owes a restart",)
    assert change(listening, refusing) is not None


def test_what_is_owed_starts_nothing_that_does_not_run() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    listening = service(restart_on=[str(CONF)])

    SERVICE.owe(listening, "restart", system)
    converge(listening, system)

    assert systemctl.told == []


def test_a_start_pays_a_restart_that_is_owed() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    listening = service(running=True, restart_on=[str(CONF)])

    SERVICE.owe(listening, "restart", system)
    converge(listening, system)

    assert systemctl.told == [("start", "shop.service")]


def test_the_way_back_is_the_state_before() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    made = change(service(running=True, enabled=True), system)
    assert made is not None
    SERVICE.enact(made, system)

    back = SERVICE.inverse(made)
    assert back is not None
    SERVICE.enact(back, system)

    assert systemctl.running == {}
    assert SERVICE.observe(service(), system).properties["enabled"] is False


def test_a_service_listens_and_comes_after_what_it_listens_to_and_what_brings_it() -> None:
    listening = service(restart_on=[str(CONF), "file:/b"], reload_on=[str(CONF), "file:/c"])
    package = Address("package", "shop")
    others = {address: Resource(address, {}) for address in (CONF, package, Address("package", "other"))}

    assert SERVICE.listens(listening) == {CONF: "restart", Address("file", "/b"): "restart", Address("file", "/c"): "reload"}
    assert set(SERVICE.implied(listening, others)) == {CONF, package}


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        ((), ""),
        ((("package", "shop"),), "package shop provides this unit"),
        ((("unit", "shop.service"),), "unit shop.service provides this unit"),
        ((("file", "/etc/systemd/system/shop.service"),), "file /etc/systemd/system/shop.service provides this unit"),
        ((("process", "shop"),), "process shop provides this unit"),
        ((("package", "a"), ("package", "b")), "a package before it may provide this unit: a, b"),
        ((("command", "make install"),), "command:make install may provide this unit"),
        ((("file", "/etc/motd"),), ""),
    ],
)
def test_a_plan_says_which_change_brings_the_unit(earlier: tuple[tuple[str, str], ...], reason: str) -> None:
    assert planned(service(running=True), *earlier) == reason


def test_a_service_that_is_masked_says_that_it_cannot_start() -> None:
    system = host(MemorySystemctl())
    system.put("/etc/systemd/system/shop.service", Node("link", to="/dev/null"))
    made = change(service(running=True, enabled=True), system)
    assert made is not None

    assert SERVICE.because(made) == ("it is masked and cannot be running: this will fail without `masked: false`",)
    with pytest.raises(TargetFailed, match="masked"):
        SERVICE.enact(made, system)


def test_what_does_not_run_after_its_start_is_a_failure_that_says_where_to_read_on() -> None:
    states = iter(["inactive"] * 20)

    def dies(_system: MemorySystem, command: Command) -> Completed:
        told = f"LoadState=loaded\nActiveState={next(states)}\nSubState=dead\nType=oneshot\n" if command.argv[1] == "show" else ""
        return Completed(0, told, "")

    system = MemorySystem(target=Target.HOST, programs={"systemctl": dies})
    made = change(service(running=True), system)
    assert made is not None

    with pytest.raises(TargetFailed, match="it is of the type oneshot"):
        SERVICE.enact(made, system)


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"name": "shop@"}, "'shop@' is a template and runs only as an instance"),
        ({"name": "a@b@c"}, "'a@b@c' has more than one @"),
        ({"masked": True, "running": True}, "a masked unit cannot be running"),
        ({"restart_on": ["nginx"]}, "'nginx' is not an address"),
        ({"running": "yes"}, "expected true or false, not text"),
    ],
)
def test_a_service_that_could_not_be_is_refused(fields: dict[str, JSON], summary: str) -> None:
    problems = SERVICE.schema.problems({"name": "shop", **fields})
    assert summary in [problem.summary for problem in problems]


def test_a_service_cannot_be_absent_and_says_what_to_write_instead() -> None:
    (problem,) = SERVICE.schema.problems({"name": "shop"}, absent=True)
    assert "running: false" in problem.hint


def with_init_script(*links: str) -> MemorySystem:
    """A folder with an init script of this name, and Debian's program that makes the links of such."""

    def update_rc(system: MemorySystem, command: Command) -> Completed:
        _, name, verb = command.argv
        for link in [path for path in system.nodes if path.endswith(name) and "/rc5.d/" in path]:
            system.remove(link)
        letter = "K" if verb == "disable" else "S"
        system.put(f"/etc/rc5.d/{letter}01{name}", Node("link", to=f"../init.d/{name}"))
        return Completed(0, "", "")

    system = MemorySystem(programs={"update-rc.d": update_rc})
    system.put("/etc/init.d/shop", Node("file", mode="0755"))
    system.put("/etc/rc5.d", Node("directory", mode="0755"))
    for link in links:
        system.put(f"/etc/rc5.d/{link}", Node("link", to="../init.d/shop"))
    return system


@pytest.mark.parametrize(("links", "enabled"), [(("S01shop",), True), (("K01shop",), False), ((), False), (("S01shopping",), False)])
def test_an_init_script_is_enabled_where_a_link_starts_it(links: tuple[str, ...], enabled: JSON) -> None:
    seen = SERVICE.observe(service(enabled=True), with_init_script(*links)).properties

    assert (seen["unit"], seen["enabled"]) == ("there", enabled)


def test_an_init_script_is_enabled_and_disabled_by_the_program_that_debian_has_for_it() -> None:
    system = with_init_script()

    converge(service(enabled=True), system)
    converge(service(enabled=False), system)

    assert [act.subject for act in system.acts if act.verb == "run"] == [
        "update-rc.d shop defaults",
        "update-rc.d shop enable",
        "update-rc.d shop defaults",
        "update-rc.d shop disable",
    ]


def test_a_unit_beside_an_init_script_is_the_one_that_counts() -> None:
    system = with_init_script("S01shop")
    system.put(UNIT, Node("file", content=TEXT))

    assert SERVICE.observe(service(enabled=True), system).properties["enabled"] is False
