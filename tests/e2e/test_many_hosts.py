"""One release on two machines: both go forward together or both stay, and no request is lost through the router of either."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from elsewhere import Elsewhere, elsewhere
from fleet import PORT as SSH
from fleet import Reached

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("many hosts")]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, payloads_of_all: Path) -> Iterator[Elsewhere]:
    with elsewhere(tmp_path_factory.mktemp("many"), machines=2, payload=payloads_of_all, routed=True) as found:
        yield found
        found.control.run("retire", "web")
        assert [one.processes("caddy run") + one.processes("/srv/site/answers") for one in found.machines] == [[], []]


@pytest.fixture
def pair(machines: Elsewhere) -> Elsewhere:
    """Both machines serve release `one`, whichever number it has."""
    machines.declare()
    machines.say("one")
    machines.control.run("apply")
    return machines


def assert_none_lost(found: list[dict[str, object]]) -> None:
    assert [one["lost"] for one in found] == [0, 0], str(found)
    assert all(int(str(one["requests"])) > 0 for one in found)


def test_two_machines_go_forward_together_or_not_at_all_and_no_request_is_lost_meanwhile(pair: Elsewhere) -> None:
    first = pair.live()[0]
    pair.declare(grace="400ms")
    pair.machines[1].machine.run("touch", "/srv/flag/ill")
    pair.say("two")

    with pair.asked() as found:
        failed = pair.control.run("apply", expect=7)
        after_failure = [pair.says(0), pair.says(1)]
        pair.machines[1].machine.run("rm", "/srv/flag/ill")
        pair.control.run("apply", expect=-signal.SIGKILL, VITRIFY_FAILPOINT="switch.outcome#2")
        pair.control.run("apply")
        after_kill = [pair.says(0), pair.says(1)]
        back = json.loads(pair.control.run("rollback", "web", "-o", "json").stdout)

    assert f"every host went back; release {first} still serves" in failed.stderr
    assert (after_failure, after_kill) == (["release one"] * 2, ["release two"] * 2)
    assert ([one["release"] for one in back["hosts"]], [one["warm"] for one in back["hosts"]]) == ([first, first], [True, True])
    assert_none_lost(found)


# sshd and all that it started end there, by their ids: whoever is connected is cut off, and nobody else can connect.
CUT = """
systemctl stop ssh.service ssh.socket
for one in /proc/[0-9]*; do case $(cat $one/comm) in sshd*) kill -9 ${one#/proc/};; esac; done
"""
HOOKS = """\
    hooks:
      - {before: gate, command: [/bin/sh, ./cut], on: control}
      - {before: drain, command: [/bin/sh, ./cut], on: control}
"""


class Line:
    """What connects a machine with this one."""

    def __init__(self, pair: Elsewhere, machine: Reached) -> None:
        self._machine, self._armed = machine, pair.control.folder / "armed"
        cutting = shlex.join(machine.machine.inside("sh", "-c", CUT))
        told = f"""[ "$(cat armed)" = "$VITRIFY_HOOK_PHASE $VITRIFY_HOOK_HOST" ] || exit 0\n: > armed\n{cutting} >&2 || true\n"""
        (pair.control.folder / "cut").write_text(told)
        self._armed.write_text("")

    def cut_before(self, phase: str) -> None:
        """Once, as soon as a rollout comes to this phase there."""
        self._armed.write_text(f"{phase} {self._machine.url('admin')}\n")

    @property
    def was_cut(self) -> bool:
        return self._armed.read_text() == ""

    def mend(self) -> None:
        """The machine can be reached again; that it can is waited for."""
        self._machine.machine.run("systemctl", "start", "ssh.service")
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self._machine.address, SSH), timeout=5).close()
            except OSError:
                assert time.monotonic() < deadline, "its sshd does not answer"
                time.sleep(0.05)
            else:
                return


@pytest.fixture
def line(pair: Elsewhere) -> Iterator[Line]:
    """To the second machine; whole again afterwards."""
    line = Line(pair, pair.machines[1])
    yield line
    line.mend()


def test_a_machine_that_is_cut_off_in_the_middle_takes_the_other_back_and_is_healed_by_the_same_command(
    pair: Elsewhere, line: Line
) -> None:
    pair.declare(more=HOOKS)
    pair.say("two")

    with pair.asked() as found:
        line.cut_before("gate")
        lost = pair.control.run("apply", expect=4)
        assert line.was_cut
        assert "unreachable" in lost.stdout
        assert [pair.says(0), pair.says(1)] == ["release one"] * 2, "all or nothing, and who was lost keeps what it had"
        looked = {verb: pair.control.run(*verb.split(), expect=4).stdout for verb in ("status", "releases", "logs web")}
        line.mend()
        pair.control.run("apply")
        assert [pair.says(0), pair.says(1)] == ["release two"] * 2

        pair.say("three")
        line.cut_before("drain")
        pair.control.run("apply", expect=4)
        assert line.was_cut
        assert [pair.says(0), pair.says(1)] == ["release three"] * 2, "it was judged that all of them go forward"
        line.mend()
        pair.control.run("apply")

    assert_none_lost(found)
    assert all("unreachable" in told and pair.hosts[1] in told for told in looked.values()), looked
    assert pair.hosts[0] in looked["status"]
    places = pair.status()["places"]
    assert [one["unfinished"] for one in places] == ["", ""]
    assert [sorted(each["slot"] for each in one["instances"]) for one in places] == [["live", "previous"]] * 2, "nothing is left over"


def test_what_waits_on_two_machines_is_promoted_or_aborted_on_both_by_whoever_comes_next(pair: Elsewhere) -> None:
    (first, _) = pair.live()
    pair.declare(rollout=", strategy: canary, steps: [5%]")
    pair.say("two")

    with pair.asked() as found:
        waits = pair.control.run("apply").stdout
        shares = [place["rollout"]["percent"] for place in pair.status()["places"]]
        pair.control.run("promote", "web", expect=-signal.SIGKILL, VITRIFY_FAILPOINT="promote.act")
        promoted = json.loads(pair.control.run("promote", "web", "-o", "json").stdout)
        pair.say("three")
        pair.control.run("apply")
        pair.control.run("abort", "web", expect=-signal.SIGKILL, VITRIFY_FAILPOINT="switch_back.act")
        pair.control.run("abort", "web")
        after = [pair.says(0), pair.says(1)]

    assert waits.count("waits with 5% of the requests") == 1
    assert all(host in waits for host in pair.hosts)
    assert shares == [5, 5]
    assert [(one["host"], one["previous"]) for one in promoted["hosts"]] == [(host, first) for host in pair.hosts]
    assert after == ["release two"] * 2
    assert_none_lost(found)
