"""Accounts on a live host with a real systemd: kept by the distribution's own programs, and used as people use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from live_host import PROJECT, LiveHost, booted, lacking

pytestmark = [pytest.mark.e2e, pytest.mark.root]

HASH = "$6$saltsalt$1aLNYBQyR1YdSIbOYkGVPw6/BkZCkIJWNgEDGLWLXTwKQuYoHRCHJwqDD0kzlnm8jdRBNKz1OJNPB0cPKkk0b."
HEAD = """
version: 1
project: shop
secrets: {login: {env: LOGIN}}
servers:
  web:
    lifecycle: mutable
    hosts: [local]
    resources:
"""


@dataclass(frozen=True)
class Accounts:
    """A project on a machine."""

    host: LiveHost

    def declare(self, *resources: str) -> None:
        """Write the declaration."""
        text = HEAD + "".join(f"      - {resource}\n" for resource in resources)
        self.host.path(f"{PROJECT}/vitrify.yaml").write_text(text)

    def apply(self, *resources: str) -> None:
        """Declare these, apply, and see that a second plan is empty."""
        self.declare(*resources)
        self.host.vitrify("apply", LOGIN=HASH)
        plan = self.host.vitrify("plan", "--detailed-exitcode", expect=None, LOGIN=HASH)
        assert plan.returncode == 0, plan.stdout

    def plan(self, *resources: str) -> list[dict[str, Any]]:
        """The changes that these would be."""
        self.declare(*resources)
        (server,) = json.loads(self.host.vitrify("plan", "-o", "json", LOGIN=HASH).stdout)["servers"]
        changes: list[dict[str, Any]] = server["changes"]
        return changes

    def undo(self) -> None:
        """Take back the last run."""
        self.host.vitrify("undo", "web", LOGIN=HASH)

    def line(self, file: str, name: str) -> list[str]:
        """The entry of this name, taken apart; empty where there is none."""
        lines = self.host.path(f"/etc/{file}").read_text().splitlines()
        return next((line.split(":") for line in lines if line.startswith(f"{name}:")), [])

    def says(self, *words: str) -> str:
        """What a program prints."""
        return self.host.run(*words).stdout.strip()


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    if reason := lacking():
        pytest.skip(reason)
    with booted(tmp_path / "live") as host:
        yield Accounts(host)


def test_a_user_is_made_changed_removed_and_each_is_taken_back(accounts: Accounts) -> None:
    first = 'user: {name: ada, groups: [ops], comment: "Ada", password: "secret:login"}'
    accounts.apply(first, "group: ops")
    made = accounts.says("id", "ada")
    accounts.apply(first.replace("[ops]", "[adm, sudo]").replace('"Ada"', '"Countess", shell: /bin/bash, locked: true'), "group: ops")
    changed, locked = accounts.line("passwd", "ada"), accounts.line("shadow", "ada")
    accounts.undo()
    again = accounts.line("passwd", "ada"), accounts.line("shadow", "ada")[1], accounts.says("id", "-nG", "ada")
    accounts.apply("group: ops")
    removed = accounts.line("passwd", "ada"), accounts.host.path("/home/ada/.profile").exists()
    accounts.undo()

    assert made == "uid=1000(ada) gid=1001(ada) groups=1001(ada),1000(ops)"
    assert (changed[4], changed[6], locked[1]) == ("Countess", "/bin/bash", f"!{HASH}")
    assert again == (["ada", "x", "1000", accounts.line("group", "ada")[2], "Ada", "/home/ada", "/bin/sh"], HASH, "ada ops")
    assert removed == ([], True)
    assert (accounts.line("passwd", "ada")[2], accounts.line("shadow", "ada")[1], accounts.says("id", "-nG", "ada")) == (
        "1000",
        HASH,
        "ada ops",
    )
    assert not [path for path in accounts.host.path("/etc").glob("*.lock") if path.name in ("passwd.lock", "group.lock", "shadow.lock")]


def test_an_undo_of_the_very_first_run_leaves_no_trace_of_its_users(accounts: Accounts) -> None:
    files = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
    before = {name: accounts.host.path(f"/etc/{name}").read_text() for name in files}
    accounts.apply(
        "group: {name: ops, gid: 700, members: [ada]}", "user: ada", "user: {name: app, system: true}", "user: {name: eve, uid: 4000}"
    )
    accounts.undo()

    assert {name: accounts.host.path(f"/etc/{name}").read_text() for name in before} == before
    assert list(accounts.host.path("/home").iterdir()) == []


def test_a_file_of_a_user_of_the_same_plan_is_its_own(accounts: Accounts) -> None:
    accounts.host.path(f"{PROJECT}/site").mkdir()
    accounts.host.path(f"{PROJECT}/site/index").write_text("hello\n")
    accounts.apply(
        'file: {path: /srv/app/conf, content: "x", owner: app, group: ops, mode: "0640"}',
        "directory: {path: /srv/app, owner: app, group: app}",
        "tree: {from: ./site, to: /srv/app/site, owner: app}",
        "user: {name: app, system: true, home: /srv/app}",
        "group: ops",
    )

    assert accounts.says("stat", "-c", "%U:%G:%a", "/srv/app", "/srv/app/conf", "/srv/app/site/index").split() == [
        "app:app:755",
        "app:ops:640",
        "app:root:644",
    ]


def test_a_password_is_in_no_list_of_processes_no_plan_and_no_journal(accounts: Accounts) -> None:
    (change,) = accounts.plan('user: {name: ada, password: "secret:login"}')
    accounts.apply('user: {name: ada, password: "secret:login"}')
    journals = accounts.host.run("grep", "-rlF", HASH, "/var/lib/vitrify", "/root/project", "/var/log", expect=None).stdout

    assert HASH not in json.dumps(change)
    assert accounts.line("shadow", "ada")[1] == HASH
    assert journals == ""


def test_what_somebody_did_to_an_account_by_hand_is_found_and_put_right(accounts: Accounts) -> None:
    wishes = ("group: ops", "user: {name: ada, groups: [ops], append: true, shell: /bin/sh, locked: true}")
    accounts.apply(*wishes)
    accounts.host.run("usermod", "--shell", "/bin/bash", "--groups", "adm,users", "ada")

    (change,) = accounts.plan(*wishes)
    accounts.apply(*wishes)

    assert change["because"] == ["groups none -> ops", "shell /bin/bash -> /bin/sh", "changed outside vitrify"]
    assert (accounts.says("id", "-nG", "ada"), accounts.line("passwd", "ada")[6]) == ("ada adm users ops", "/bin/sh")


def test_whoever_has_the_key_logs_in_and_nobody_else(accounts: Accounts) -> None:
    for name in ("mine", "other"):
        accounts.host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"/root/{name}")
    mine = accounts.host.path("/root/mine.pub").read_text().strip()
    accounts.apply(
        "user: {name: ada, shell: /bin/bash, groups: [ops]}",
        "group: ops",
        f"authorized_key: {{user: ada, key: {json.dumps(mine)}, options: [no-pty, 'environment=\"A=1\"'], exclusive: true}}",
    )
    accounts.host.run("sed", "-i", "$aStrictModes yes", "/etc/ssh/sshd_config")
    accounts.host.run("systemctl", "restart", "ssh")
    options = ("-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes")

    inside = accounts.says("ssh", *options, "-i", "/root/mine", "ada@127.0.0.1", "id", "-nG")
    refused = accounts.host.run("ssh", *options, "-i", "/root/other", "ada@127.0.0.1", "true", expect=None)
    modes = accounts.says("stat", "-c", "%U:%G:%a", "/home/ada/.ssh", "/home/ada/.ssh/authorized_keys").split()
    accounts.undo()

    assert inside == "ada ops"
    assert "Permission denied" in refused.stderr
    assert modes == ["ada:ada:700", "ada:ada:600"]
    assert (accounts.line("passwd", "ada"), accounts.host.path("/home/ada").exists()) == ([], False)


def test_sudo_lets_its_user_do_what_was_declared_and_nothing_else(accounts: Accounts) -> None:
    accounts.apply(
        "user: ada",
        "sudoers: {name: ada, user: ada, commands: [/usr/bin/id -u, '/usr/bin/env A=1,2 /usr/bin/id -un'], nopassword: true}",
    )

    first = accounts.says("runuser", "-u", "ada", "--", "sudo", "-n", "/usr/bin/id", "-u")
    second = accounts.says("runuser", "-u", "ada", "--", "sudo", "-n", "/usr/bin/env", "A=1,2", "/usr/bin/id", "-un")
    other = accounts.host.run("runuser", "-u", "ada", "--", "sudo", "-n", "/usr/bin/id", "-g", expect=None)
    accounts.undo()
    after = accounts.host.run("sudo", "-l", "-U", "games", expect=None).stdout

    assert (first, second) == ("0", "root")
    assert other.returncode != 0
    assert "not allowed to run sudo" in after
    assert not accounts.host.path("/etc/sudoers.d/ada").exists()


def test_rights_that_sudo_does_not_understand_lock_nobody_out(accounts: Accounts) -> None:
    accounts.declare('sudoers: {name: broken, content: "ada ALL=(ALL NOPASSWD"}')

    failed = accounts.host.vitrify("apply", expect=3)

    assert "the new content of /etc/sudoers.d/broken was refused" in failed.stderr
    assert "syntax error" in failed.stderr
    assert accounts.says("visudo", "-c")
    assert not accounts.host.path("/etc/sudoers.d/broken").exists()


def test_a_session_has_the_limits_that_were_declared(accounts: Accounts) -> None:
    accounts.apply("user: ada", 'limits: {name: ada, soft: {nofile: "321"}, hard: {nofile: "654"}}')

    told = accounts.says("su", "--login", "ada", "--command", "ulimit -Sn; ulimit -Hn")

    assert told.split() == ["321", "654"]


def test_a_machine_takes_its_name_and_its_time_and_gives_them_back(accounts: Accounts) -> None:
    before = accounts.says("hostname"), accounts.says("date", "+%Z")
    accounts.apply("hostname: web1", "timezone: Asia/Kolkata", "hosts_entry: {address: 10.0.0.7, names: [db.example, db]}")
    after = accounts.says("hostname"), accounts.says("hostnamectl", "hostname"), accounts.says("date", "+%Z")
    found = accounts.says("getent", "hosts", "db").split()
    accounts.host.run("hostname", "intruder")
    (change,) = accounts.plan("hostname: web1", "timezone: Asia/Kolkata", "hosts_entry: {address: 10.0.0.7, names: [db.example, db]}")
    accounts.undo()

    assert after == ("web1", "web1", "IST")
    assert found == ["10.0.0.7", "db.example", "db"]
    assert change["because"] == ["goes by intruder", "changed outside vitrify"]
    assert (accounts.says("hostname"), accounts.says("date", "+%Z")) == before


def test_a_locale_is_generated_and_spoken_and_taken_back(accounts: Accounts) -> None:
    before = accounts.host.path("/etc/locale.gen").read_text()
    accounts.apply("locale: {lang: de_DE.UTF-8, variables: {LC_NUMERIC: C.UTF-8}}")
    spoken = accounts.says("sh", "-c", ". /etc/default/locale; LC_ALL=$LANG date --date=2030-05-01 +%B")
    listed = accounts.says("locale", "-a").split()
    accounts.undo()

    assert spoken == "Mai"
    assert "de_DE.utf8" in listed
    assert "de_DE.utf8" not in accounts.says("locale", "-a").split()
    assert accounts.host.path("/etc/locale.gen").read_text() == before


def test_an_access_list_lets_whoever_is_named_in_and_an_undo_shuts_them_out(accounts: Accounts) -> None:
    people = ("user: ada", "user: eve", 'directory: {path: /srv/app, mode: "0700"}')
    accounts.apply(*people)
    before = accounts.says("stat", "-c", "%a", "/srv/app")
    peek = ("runuser", "-u", "ada", "--", "ls", "/srv/app")
    shut = accounts.host.run(*peek, expect=None).returncode
    accounts.declare(*people, 'acl: {path: /srv/app, entries: ["user:ada:r-x", "default:user:ada:r-x"]}')
    accounts.host.vitrify("apply", LOGIN=HASH)
    accounts.host.run(*peek)
    other = accounts.host.run("runuser", "-u", "eve", "--", "ls", "/srv/app", expect=None).returncode
    accounts.undo()

    assert shut != 0
    assert other != 0
    assert accounts.host.run(*peek, expect=None).returncode != 0
    assert accounts.says("stat", "-c", "%a", "/srv/app") == before


def test_a_link_out_of_a_home_is_never_followed_by_root(accounts: Accounts) -> None:
    accounts.apply("user: ada")
    accounts.host.run("runuser", "-u", "ada", "--", "ln", "-s", "/root/.ssh", "/home/ada/.ssh")
    accounts.host.path("/root/.ssh").mkdir(mode=0o700, exist_ok=True)
    key = accounts.host.run("sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /root/k && cat /root/k.pub").stdout.strip()
    accounts.declare("user: ada", f"authorized_key: {{user: ada, key: {json.dumps(key)}}}")

    failed = accounts.host.vitrify("apply", expect=3)

    assert "/home/ada/.ssh is not used (it is a link)" in failed.stderr
    assert list(accounts.host.path("/root/.ssh").iterdir()) == []


def test_a_user_whose_processes_run_is_not_removed_and_the_reason_is_told(accounts: Accounts) -> None:
    accounts.apply("user: ada")
    accounts.host.run("systemd-run", "--uid=ada", "--unit=busy", "sleep", "600")
    accounts.declare("user: {name: ada, absent: true}")

    failed = accounts.host.vitrify("apply", expect=3)

    assert "currently used by process" in failed.stderr
    assert accounts.line("passwd", "ada")
