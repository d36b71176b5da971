"""How the OpenSSH client is called, and what its words mean."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import PythonMissing, TargetFailed, UsageInvalid
from vitrify.core.interpreter import INSTALL, spelled
from vitrify.transports.ascent import ASCEND, BRING, FIND, command, quoted
from vitrify.transports.refusal import refused, stage_refused
from vitrify.transports.ssh import Client, sockets

HOST = Host("ssh://admin@db1:2222", address="db1", user="admin", port=2222)


def options(argv: tuple[str, ...]) -> dict[str, str]:
    return dict(argv[at + 1].split("=", 1) for at, word in enumerate(argv) if word == "-o")


def test_the_client_never_asks_and_never_trusts_a_key_by_itself() -> None:
    found = options(Client(Path("/run/s")).argv(HOST, "true"))

    assert found["BatchMode"] == "yes"
    assert not {"StrictHostKeyChecking", "UserKnownHostsFile", "IdentityFile", "ProxyJump", "ConnectTimeout"} & set(found)


def test_user_port_and_configuration_are_given_only_where_they_are_declared() -> None:
    bare = Client(Path("/run/s")).argv(Host("ssh://db1", address="db1"), "true")
    full = Client(Path("/run/s"), config="/etc/mine").argv(HOST, "true")

    assert not {"-p", "-l", "-F"} & set(bare)
    assert " ".join(full).endswith("-p 2222 -l admin -- db1 true")
    assert full[:3] == ("ssh", "-F", "/etc/mine")


def test_what_a_login_shell_is_given_reads_the_same_in_every_shell() -> None:
    remote = command("70k3n", "d" * 64, ask=False)

    assert remote.startswith("exec /bin/sh -c '")
    assert not set(remote) & set("\\\n!")
    assert re.fullmatch(r"exec /bin/sh -c (?:'[^']*' ?)+", remote)


@pytest.mark.parametrize(("script", "bringing"), [(ASCEND, False), (FIND, False), (ASCEND, True), (BRING, True)])
def test_no_value_is_part_of_a_script(script: str, bringing: bool) -> None:  # noqa: FBT001  one of two ways
    with_one = command("a", "b" * 64, ask=True, bringing=bringing)
    with_another = command("c", "d" * 64, ask=False, bringing=bringing)

    assert quoted(script) in with_one
    assert quoted(script) in with_another


@pytest.mark.parametrize("word", ["it's", "a\\b", "two\nlines", "wow!", "\0"])
def test_a_word_that_shells_read_differently_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        quoted(word)


@pytest.mark.parametrize(
    ("said", "summary", "hint"),
    [
        ("ssh: connect to host db1 port 2222: Connection refused", "nothing answers SSH", "sshd"),
        ("ssh: connect to host db1 port 2222: Connection timed out", "does not answer", "firewall"),
        ("ssh: connect to host db1 port 2222: No route to host", "there is no way to", "network"),
        ("ssh: Could not resolve hostname db1: Name or service not known", "has no address", "HostName"),
        ("admin@db1: Permission denied (publickey).", "does not let us log in", "ssh-agent"),
        ("Host key verification failed.", "is not known", "known_hosts"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "has changed",
            "ssh-keygen -R [db1]:2222",
        ),
        ("/etc/mine: terminating, 1 bad configuration options\nBad configuration option: colour", "does not understand", "the file"),
        ("something new", "cannot be reached", "try it by hand"),
    ],
)
def test_what_the_client_says_becomes_a_reason_and_what_to_do(said: str, summary: str, hint: str) -> None:
    (found,) = refused(HOST, 255, said.split("\n"), entered=False).diagnostics

    assert summary in found.summary
    assert hint in found.hint
    assert found.why


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("sudo: a password is required", "wants a password"),
        ("sudo: sorry, you must have a tty to run sudo", "wants a terminal"),
        ("sudo: 3 incorrect password attempts", "did not accept the password"),
        ("ada is not in the sudoers file.", "does not let this user become root"),
        ("Sorry, user ada is not allowed to execute '/bin/sh' as root on db1.", "does not let this user become root"),
        ("Permission denied (publickey)", "no session could be opened"),
    ],
)
def test_once_a_shell_obeys_it_is_sudo_that_refuses(said: str, summary: str) -> None:
    (found,) = refused(HOST, 1, [said], entered=True).diagnostics

    assert summary in found.summary


def test_a_client_that_says_nothing_is_told_by_its_end() -> None:
    assert "killed by signal 9" in str(refused(HOST, -9, [], entered=False))
    assert "ended with 255" in str(refused(HOST, 255, [], entered=False))


@pytest.mark.parametrize(
    ("manager", "told"),
    [
        ("apt-get", "--no-install-recommends install python3`; `vitrify bootstrap` does that"),
        ("dnf", "`dnf -q -y install python3`; `vitrify bootstrap`"),
        ("apk", "`apk add python3`; `vitrify bootstrap`"),
        ("none", "no package manager"),
    ],
)
def test_a_host_without_python_says_what_it_has_and_what_brings_one(manager: str, told: str) -> None:
    (found,) = stage_refused(HOST, f"no-python-{manager}", "/usr/bin/python3 is 3.7.3").diagnostics

    assert found.why == "/usr/bin/python3 is 3.7.3"
    assert "3.9" in found.hint
    assert told in found.hint


def test_a_package_manager_that_fails_is_told_in_its_own_last_words() -> None:
    failed = stage_refused(HOST, "no-install-dnf", "1", ["Error: Unable to find a match: python3"])
    nobody = stage_refused(HOST, "no-install-none", "1")

    assert isinstance(failed, TargetFailed)
    assert failed.diagnostics[0].why == "Error: Unable to find a match: python3"
    assert isinstance(nobody, PythonMissing)
    assert nobody.manager == ""


def test_every_package_manager_is_asked_in_constant_words_and_leaves_the_channel_alone(tmp_path: Path) -> None:
    for manager, commands in INSTALL.items():
        assert f"{manager}) {spelled(manager)};;" in BRING
        tools = tmp_path / manager
        tools.mkdir()
        (tools / manager).write_text(f'#!/bin/sh\necho "{manager} $@" >> {tools}/told; read line; echo "chatter $line"\n')
        (tools / manager).chmod(0o755)
        script = re.sub(r"PATH=/[^;]*;", f"PATH={tools};", BRING.removesuffix(FIND), count=1)
        argv = ["/bin/sh", "-c", script, "vitrify", script, "70k3n", "never"]
        done = subprocess.run(argv, input=b"frames", capture_output=True, check=True)

        assert done.stdout == b""
        assert b"frames" not in done.stderr
        assert (tools / "told").read_text().splitlines() == [" ".join(words) for words in commands]


def test_control_sockets_lie_in_a_short_folder_of_ours(tmp_path: Path) -> None:
    short = tmp_path / "s"
    short.mkdir(mode=0o700)
    environ = {"XDG_RUNTIME_DIR": str(short)} if len(str(short)) < 30 else {}

    found = sockets(tmp_path / ("long" * 20), environ)

    assert len(str(found)) <= 44
    assert found.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_enter_holds_no_control_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 20)))

    with pytest.raises(UsageInvalid, match="XDG_RUNTIME_DIR"):
        sockets(tmp_path / ("long" * 20), {})
