"""Units, drop-ins, timers and jobs of cron on a real machine: loaded, fired and accepted by the programs that they are for."""

from __future__ import annotations

import time

import pytest

from live_host import LiveHost
from test_services_on_systemd import counted, declare, settled

pytestmark = [pytest.mark.e2e, pytest.mark.root]

COUNTER = """- unit:
          name: counted
          sections:
            Service: {ExecStart: '/bin/sh -c "echo WORD >> /var/log/counted; exec sleep infinity"'}
            Install: {WantedBy: multi-user.target}"""
RUNS = '- service: {name: counted, running: true, enabled: true, restart_on: ["unit:counted.service"]}'
WANTED = "/etc/systemd/system/multi-user.target.wants/counted.service"


def wait_for_text(host: LiveHost, path: str) -> str:
    deadline = time.monotonic() + 20
    while not (host.path(path).exists() and host.path(path).read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.05)
    return host.path(path).read_text()


def test_a_unit_is_loaded_and_its_service_restarted_once_when_it_changes(live_host: LiveHost) -> None:
    for word in ("one", "two"):
        declare(live_host, COUNTER.replace("WORD", word), RUNS)
        live_host.vitrify("apply")

    assert counted(live_host) == ["one", "two"]
    assert live_host.unit("counted.service", "NeedDaemonReload") == {"NeedDaemonReload": "no"}
    assert settled(live_host)


def test_an_undo_of_a_changed_unit_runs_the_former_one(live_host: LiveHost) -> None:
    for word in ("one", "two"):
        declare(live_host, COUNTER.replace("WORD", word), RUNS)
        live_host.vitrify("apply")

    live_host.vitrify("undo", "web")

    assert counted(live_host) == ["one", "two", "one"]


def test_a_unit_that_left_the_declaration_is_stopped_and_leaves_no_link_and_an_undo_brings_it_back(live_host: LiveHost) -> None:
    declare(live_host, COUNTER.replace("WORD", "one"), RUNS)
    live_host.vitrify("apply")
    declare(live_host, "- file: {path: /etc/other, content: x}")

    live_host.vitrify("apply")
    gone = live_host.unit("counted.service", "LoadState", "ActiveState")
    linked = live_host.path(WANTED).is_symlink()
    live_host.vitrify("undo", "web")

    assert gone == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert not linked
    assert live_host.path(WANTED).is_symlink()
    assert live_host.unit("counted.service", "LoadState", "UnitFileState") == {"LoadState": "loaded", "UnitFileState": "enabled"}


def test_a_drop_in_changes_a_unit_of_a_package_until_it_goes(live_host: LiveHost) -> None:
    declare(live_host, "- unit: {name: cron, drop_in: limits, sections: {Service: {LimitNOFILE: 4321}}}")
    live_host.vitrify("apply")
    limited = live_host.unit("cron.service", "LimitNOFILE")
    declare(live_host, "- unit: {name: cron, drop_in: limits, absent: true}")

    live_host.vitrify("apply")

    assert limited == {"LimitNOFILE": "4321"}
    assert live_host.unit("cron.service", "LimitNOFILE") != limited
    assert live_host.unit("cron.service", "ActiveState") == {"ActiveState": "active"}
    assert settled(live_host)


def test_a_timer_fires_and_an_undo_ends_it(live_host: LiveHost) -> None:
    script = """- file: {path: /usr/local/bin/fire, content: "#!/bin/sh\\nid -un > /tmp/fired-by\\n", mode: "0755"}"""
    often = "- timer: {name: fire, command: [/usr/local/bin/fire], on_calendar: ['*:*:*'], accuracy: 100ms, user: www-data}"
    declare(live_host, script, often)

    live_host.vitrify("apply")
    fired, quiet = wait_for_text(live_host, "/tmp/fired-by"), settled(live_host)
    listed = live_host.run("systemctl", "list-timers", "--all", "--no-legend", "fire.timer").stdout
    live_host.vitrify("undo", "web")

    assert fired == "www-data\n"
    assert quiet
    assert "fire.service" in listed
    assert live_host.unit("fire.timer", "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert live_host.run("systemctl", "is-system-running", expect=None).stdout == "running\n"


def test_a_time_that_systemd_cannot_read_is_refused_and_nothing_is_written(live_host: LiveHost) -> None:
    declare(live_host, "- timer: {name: fire, command: [/bin/true], on_calendar: ['Someday 03:00']}")

    failed = live_host.vitrify("apply", expect=3)

    assert "a time that systemd does not understand" in failed.stderr
    assert not live_host.path("/etc/systemd/system/fire.timer").exists()


def test_cron_reads_the_file_and_runs_the_job(live_host: LiveHost) -> None:
    declare(live_host, "- cron: {name: mark, job: 'date > /run/marked', minute: '*', env: {MAILTO: root}}")

    live_host.vitrify("apply")
    live_host.run("systemctl", "restart", "cron")
    deadline = time.monotonic() + 75
    while not live_host.path("/run/marked").exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    log = live_host.run("journalctl", "-u", "cron", "--no-pager", "--output=cat").stdout

    assert live_host.path("/run/marked").exists(), log
    assert "(root) CMD (date > /run/marked)" in log
    assert settled(live_host)
