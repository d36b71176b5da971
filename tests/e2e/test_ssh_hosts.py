"""A server on another machine, reached by the real OpenSSH: planned, applied, audited and undone as on this one."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from contextlib import suppress

import pytest

from fleet import PASSWORD, Control, Fleet, Reached

pytestmark = [pytest.mark.e2e, pytest.mark.root]

DECLARATION = """
version: 1
project: shop
ssh: {{config: {config}}}
servers:
  web:
    lifecycle: mutable
    hosts: [{hosts}]
    resources:
      - directory: /srv/app
      - file: {{path: /srv/app/page, content: "{page}\\n", mode: "0644"}}
"""


def declare(control: Control, fleet: Fleet, *hosts: str, page: str = "hello") -> None:
    control.declare(DECLARATION.format(config=fleet.config, hosts=", ".join(hosts), page=page))


def changes(control: Control) -> list[list[str]]:
    """What a plan would change, host by host."""
    found = control.document("plan")["servers"]
    return [[change["resource"]["address"] for change in host["changes"]] for host in found]


def refused(control: Control, *, expect: int = 4, **environment: str) -> str:
    """What a plan says that cannot be made."""
    return control.run("plan", expect=expect, **environment).stderr


@pytest.mark.parametrize("user", ["root", "admin"])
def test_a_server_on_another_machine_is_planned_applied_audited_and_undone(fleet: Fleet, control: Control, user: str) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url(user))

    assert changes(control) == [["directory:/srv/app", "file:/srv/app/page"]]
    control.run("apply")
    assert machine.text("/srv/app/page") == "hello\n"
    assert changes(control) == [[]]
    assert control.document("audit")["findings"] == []

    machine.machine.path("/srv/app/page").write_text("somebody was here\n")
    assert [finding["path"] for finding in control.document("audit")["findings"]] == ["/srv/app/page"]
    assert changes(control) == [["file:/srv/app/page"]]
    control.run("apply")
    assert machine.text("/srv/app/page") == "hello\n"

    control.run("undo", "web")
    assert machine.text("/srv/app/page") == "somebody was here\n"
    control.run("undo", "web", "--force")
    assert not machine.machine.path("/srv/app").exists()
    assert machine.machine.path("/var/lib/vitrify").stat().st_mode & 0o777 == 0o700


@pytest.mark.timeout(600)  # the first time a Debian is fetched
def test_a_debian_11_with_its_python_3_9_is_converged(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot(release="bullseye")
    declare(control, fleet, machine.url("admin"))

    control.run("apply")

    assert machine.text("/srv/app/page") == "hello\n"
    assert "cpython-39" in next(machine.machine.path(CACHE).iterdir()).name
    assert changes(control) == [[]]
    control.run("undo", "web")
    assert not machine.machine.path("/srv/app").exists()


def test_a_declaration_that_cannot_be_read_leaves_no_connection_half_begun(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    (control.folder / "page").write_text("one")
    declare(control, fleet, machine.url("admin"))
    control.declare((control.folder / "vitrify.yaml").read_text() + "      - file: {path: /srv/app/more, source: ./page}\n")
    control.run("plan")
    (control.folder / "page").unlink()

    said = refused(control, expect=65)

    assert "page" in said
    assert machine.processes("python3") == []


def test_two_machines_get_the_same(fleet: Fleet, control: Control) -> None:
    one, other = fleet.boot(), fleet.boot()
    declare(control, fleet, one.url(), other.url("admin"))

    control.run("apply")

    assert [machine.text("/srv/app/page") for machine in (one, other)] == ["hello\n", "hello\n"]
    assert changes(control) == [[], []]
    assert control.document("status")["servers"][0]["owned"] == 4


def test_sudo_gets_its_password_before_anything_else_is_said(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("asked"))

    assert "sudo on ssh://asked@" in refused(control)
    assert "VITRIFY_SUDO_PASSWORD" in refused(control)
    assert "did not accept the password" in refused(control, VITRIFY_SUDO_PASSWORD=PASSWORD.upper())
    control.run("apply", VITRIFY_SUDO_PASSWORD=PASSWORD)
    assert machine.text("/srv/app/page") == "hello\n"

    secret = (control.folder / "vitrify.yaml").read_text().replace("ssh: {", "ssh: {sudo_password: secret:sudo, ")
    control.declare(f"{secret}\nsecrets: {{sudo: {{env: SUDO}}}}\n")
    control.run("plan", SUDO=PASSWORD)


def test_somebody_at_a_terminal_is_asked_for_sudos_password_and_what_is_typed_does_not_show(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("asked"))

    shown, code = typed(control, ["plan"], answers=[PASSWORD])

    assert code == 0, shown
    assert "sudo password on ssh://asked@" in shown
    assert PASSWORD not in shown
    shown, code = typed(control, ["plan"], answers=["not this"])
    assert (code, "did not accept the password" in shown) == (4, True), shown
    shown, code = typed(control, ["plan"], answers=["\x03"])
    assert code == 130, shown


def typed(control: Control, words: list[str], *, answers: list[str]) -> tuple[str, int]:
    """What a command shows to somebody at a terminal who gives these answers, and how it ends."""
    ours, its = pty.openpty()
    with control.at_terminal(*words, terminal=its) as process:
        os.close(its)
        shown = ""
        with suppress(OSError):  # how the end of a terminal is told
            while part := os.read(ours, 4096).decode():
                shown += part
                if shown.endswith(":2222: ") and answers:
                    os.write(ours, f"{answers.pop(0)}\n".encode())
        process.wait(timeout=60)
    os.close(ours)
    return shown, process.returncode


def test_a_sudo_that_lets_nobody_through_says_why(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()

    declare(control, fleet, machine.url("terminal"))
    assert "wants a terminal" in refused(control)
    declare(control, fleet, machine.url("nobodys"))
    assert "sudo on ssh://nobodys@" in refused(control)
    assert "does not let this user become root" in refused(control, VITRIFY_SUDO_PASSWORD=PASSWORD)
    machine.machine.path("/usr/bin/sudo").rename(machine.machine.path("/usr/bin/not-sudo"))
    declare(control, fleet, machine.url("admin"))
    assert "has no sudo" in refused(control)


def test_a_password_is_not_sent_where_sudo_does_not_ask(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()

    for user in ("admin", "root"):
        declare(control, fleet, machine.url(user), page=user)
        control.run("apply", VITRIFY_SUDO_PASSWORD=PASSWORD)

        assert machine.text("/srv/app/page") == f"{user}\n"


def test_a_jump_host_leads_to_the_machine(fleet: Fleet, control: Control) -> None:
    jump, behind = fleet.boot(), fleet.boot()
    fleet.configure(
        f"Host behind\n    HostName {behind.address}\n    User admin\n    Port 2222\n    ProxyCommand ssh -F {fleet.config} -W %h:%p jump\n"
        f"Host jump\n    HostName {jump.address}\n    User nobodys\n    Port 2222\n"
    )
    declare(control, fleet, "ssh://behind")

    control.run("apply")

    assert behind.text("/srv/app/page") == "hello\n"


def test_proxy_jump_of_ssh_config_is_honoured(fleet: Fleet, control: Control) -> None:
    jump, behind = fleet.boot(), fleet.boot()
    fleet.configure(f"Host {behind.address}\n    ProxyJump nobodys@{jump.address}:2222\n")
    declare(control, fleet, behind.url("admin"))

    control.run("apply")

    assert behind.text("/srv/app/page") == "hello\n"
    assert "Accepted publickey for nobodys from 127.0.0.1" in jump.machine.run("journalctl", "--unit=ssh", "--output=cat").stdout


def test_an_unknown_or_a_changed_host_key_is_never_accepted(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot(known=False)
    declare(control, fleet, machine.url())

    assert "is not known" in refused(control)

    fleet.know(machine.address, fleet.folder / "key")
    said = refused(control)
    assert "has changed" in said
    assert f"ssh-keygen -R [{machine.address}]:2222" in said.replace("\n", " ")


def test_who_is_not_let_in_and_what_does_not_answer_are_told_apart(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()

    declare(control, fleet, machine.url("stranger"))
    assert "does not let us log in" in refused(control)
    declare(control, fleet, f"ssh://root@{machine.address}:2223")
    assert "nothing answers SSH" in refused(control)
    declare(control, fleet, "ssh://root@there-is-no-such-host.invalid")
    assert "has no address" in refused(control)


def put(machine: Reached, path: str, text: str) -> None:
    place = machine.machine.path(path)
    place.write_text(text)
    place.chmod(0o755)


def test_a_python_that_does_not_run_is_passed_over_and_where_there_is_none_it_is_said(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    python = machine.machine.path("/usr/bin/python3")
    real = python.resolve().name
    put(machine, "/usr/local/bin/python3", "#!/bin/sh\necho 'python3: command not found in any version' >&2\nexit 127\n")
    declare(control, fleet, machine.url("admin"))

    control.run("apply")
    assert machine.text("/srv/app/page") == "hello\n"

    python.unlink()
    assert changes(control) == [[]], "/usr/bin/python3.11 is there"

    machine.machine.run("mv", f"/usr/bin/{real}", "/usr/bin/hidden")
    put(machine, "/usr/local/bin/python3.9", "#!/bin/sh\necho 4711.3.7.3\n")
    said = " ".join(refused(control).split())
    assert "has no Python that runs the payload" in said
    assert "/usr/local/bin/python3 does not run; /usr/local/bin/python3.9 is 3.7.3" in said
    assert "install Python 3.9 or newer there, as root: `apt-get " in said
    assert "`vitrify bootstrap` does that" in said
    machine.machine.run("mv", "/usr/bin/apt-get", "/usr/bin/not-apt-get")
    put(machine, "/usr/local/bin/apk", "#!/bin/sh\nexit 1\n")
    assert "as root: `apk add python3`" in " ".join(refused(control).split())
    machine.machine.path("/usr/local/bin/apk").unlink()
    assert "no package manager that we know is there" in " ".join(refused(control).split())


def test_a_noisy_login_does_not_disturb(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    bashrc = machine.machine.path("/home/admin/.bashrc")
    bashrc.write_text("echo 'Welcome to this machine!'\necho 'and mind your step' >&2\n")
    declare(control, fleet, machine.url("admin"))

    control.run("apply")

    assert machine.text("/srv/app/page") == "hello\n"


CACHE = "/var/cache/vitrify"


def test_the_payload_is_sent_once_and_kept_for_root_alone(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("admin"))
    folder = machine.machine.path(CACHE)

    control.run("plan")
    (kept,) = folder.iterdir()
    first = kept.stat()
    control.run("plan")

    assert [entry.stat() for entry in folder.iterdir()] == [first]
    assert (folder.stat().st_mode & 0o777, first.st_mode & 0o777, first.st_uid, first.st_nlink) == (0o700, 0o600, 0, 1)


@pytest.mark.parametrize("tampering", ["altered", "cut", "link", "second name", "open to others", "somebody else's"])
def test_a_payload_that_somebody_could_have_written_is_replaced_and_never_run(fleet: Fleet, control: Control, tampering: str) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("admin"))
    control.run("plan")
    (kept,) = machine.machine.path(CACHE).iterdir()
    inside = f"{CACHE}/{kept.name}"
    good = kept.read_bytes()
    acts: dict[str, Callable[[], object]] = {
        "altered": lambda: kept.write_bytes(good.replace(b"vitrify/onhost/runner", b"vitrify/onhost/rUnner")),
        "cut": lambda: kept.write_bytes(good[:-100]),
        "link": lambda: machine.machine.run("sh", "-c", f"mv {inside} /tmp/planted && ln -s /tmp/planted {inside}"),
        "second name": lambda: machine.machine.run("ln", inside, "/var/cache/planted"),
        "open to others": lambda: machine.machine.run("chmod", "0666", inside),
        "somebody else's": lambda: machine.machine.run("chown", "admin", inside),
    }
    acts[tampering]()

    control.run("apply")

    assert machine.text("/srv/app/page") == "hello\n"
    status = kept.lstat()
    assert (status.st_mode & 0o170777, status.st_uid, status.st_nlink) == (0o100600, 0, 1)
    assert kept.read_bytes() == good


def test_a_cache_that_cannot_be_trusted_or_written_is_done_without(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("admin"))
    machine.machine.run("install", "-d", "-o", "admin", CACHE)

    control.run("plan")

    assert list(machine.machine.path(CACHE).iterdir()) == []
    machine.machine.run("rm", "-r", CACHE)
    machine.machine.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/var/cache")
    control.run("apply")
    assert machine.text("/srv/app/page") == "hello\n"


def test_a_login_shell_of_any_kind_will_do(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    machine.machine.run("usermod", "--shell", "/bin/sh", "admin")
    declare(control, fleet, machine.url("admin"))

    assert changes(control) == [["directory:/srv/app", "file:/srv/app/page"]]


def test_no_process_is_left_on_the_machine(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine.url("admin"))

    control.run("apply")

    assert machine.processes("python3") == []
