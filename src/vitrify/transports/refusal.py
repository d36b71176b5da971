"""Why a host could not be reached, in words. Every such error is a `TargetUnreachable`: the text decides on words alone.

The OpenSSH client and sudo end with one status for everything, so what they say is all there is to tell the reasons apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import PythonMissing, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.interpreter import INSTALL, spelled

LOST = 255
"""What the OpenSSH client ends with where the failure is its own."""


@dataclass(frozen=True)
class Reason:
    """What is said for what was heard: `{host}` is the host as declared, `{name}` its name."""

    heard: str
    summary: str
    hint: str


_SSH = (
    Reason(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host key of {host} has changed",
        "if the host was reinstalled, take its old key away (`ssh-keygen -R {name}`) and check the new one; if not, do not connect",
    ),
    Reason(
        "Host key verification failed",
        "the host key of {host} is not known",
        "log in once with `ssh` and compare the fingerprint, or add the key to known_hosts",
    ),
    Reason(
        "Permission denied",
        "{host} does not let us log in",
        "`ssh` must get in without asking anything: add a key to ssh-agent, or name one with IdentityFile in ssh_config",
    ),
    Reason(
        "Too many authentication failures",
        "{host} does not let us log in",
        "name the one key with IdentityFile and IdentitiesOnly in ssh_config",
    ),
    Reason("Could not resolve hostname", "{host} has no address", "correct the name in `hosts`, or give it a HostName in ssh_config"),
    Reason("Connection refused", "nothing answers SSH on {host}", "is sshd running there, and is the port right?"),
    Reason("timed out", "{host} does not answer", "is it up, and does a firewall let SSH through?"),
    Reason("No route to host", "there is no way to {host}", "is it up, and is the network between?"),
    Reason("Network is unreachable", "there is no way to {host}", "is this machine's network up?"),
    Reason("Bad configuration option", "the OpenSSH client does not understand its configuration", "correct the file that it names"),
    Reason("Can't open user config file", "the OpenSSH client cannot read its configuration", "correct `ssh: {{config: FILE}}`"),
    Reason("administratively prohibited", "the jump host does not lead to {host}", "let its sshd forward: AllowTcpForwarding yes"),
    Reason("Connection closed", "{host} closed the connection", "its log says why: `journalctl -u ssh`"),
    Reason("Connection reset", "{host} closed the connection", "its log says why: `journalctl -u ssh`"),
)
_SUDO = (
    Reason(
        "you must have a tty",
        "sudo on {host} wants a terminal",
        "allow this user to do without: `Defaults:USER !requiretty` in a file of /etc/sudoers.d",
    ),
    Reason(
        "password is required",
        "sudo on {host} wants a password",
        "set VITRIFY_SUDO_PASSWORD, or `ssh: {{sudo_password: secret:NAME}}`, or allow this user to do without (NOPASSWD)",
    ),
    Reason("no password was provided", "sudo on {host} did not accept the password", "correct VITRIFY_SUDO_PASSWORD or the secret"),
    Reason("incorrect password", "sudo on {host} did not accept the password", "correct VITRIFY_SUDO_PASSWORD or the secret"),
    Reason(
        "not in the sudoers file",
        "sudo on {host} does not let this user become root",
        "add a rule for it to /etc/sudoers.d, or log in as root",
    ),
    Reason("not allowed to", "sudo on {host} does not let this user become root", "add a rule for it to /etc/sudoers.d, or log in as root"),
    Reason(
        "may not run sudo", "sudo on {host} does not let this user become root", "add a rule for it to /etc/sudoers.d, or log in as root"
    ),
)
_STAGES = {
    "no-sudo": ("{host} has no sudo", "the login is not root's, and there is no way to become it", "install sudo there, or log in as root"),
}
_NO_PYTHON = "no-python-"
_NO_INSTALL = "no-install-"


def refused(host: Host, code: int | None, said: Sequence[str], *, entered: bool) -> TargetUnreachable:
    """The connection ended before there was a payload. `entered`: a shell of the host had begun, so it is not the way there."""
    table = _SUDO if entered else _SSH
    text = "\n".join(said)
    reason = next((reason for reason in table if reason.heard in text), None)
    why = _last_words(code, said)
    if reason is None:
        summary = "no session could be opened on {host}" if entered else "{host} cannot be reached"
        return TargetUnreachable(_filled(summary, host), why=why, hint=f"try it by hand: `ssh {host.name} true`")
    return TargetUnreachable(_filled(reason.summary, host), why=why, hint=_filled(reason.hint, host))


def stage_refused(host: Host, what: str, detail: str, said: Sequence[str] = ()) -> VitrifyError:
    """One of the stages on the host says that it cannot go on."""
    if what.startswith(_NO_PYTHON):
        return _no_python(host, what.removeprefix(_NO_PYTHON), detail or "none was found")
    if what.startswith(_NO_INSTALL):
        manager = what.removeprefix(_NO_INSTALL)
        hint = "mend that on the host, and run the same command again"
        if manager not in INSTALL:
            return _no_python(host, manager, "none was found")
        return TargetFailed(f"{manager} on {host.name} could not install Python", why=_last_words(None, said), hint=hint)
    summary, why, hint = _STAGES.get(what, ("no session could be opened on {host}", what, ""))
    return TargetUnreachable(_filled(summary, host), why=why or detail, hint=hint)


def _no_python(host: Host, manager: str, why: str) -> PythonMissing:
    own = spelled(manager)
    by_hand = f"as root: `{own}`; `vitrify bootstrap` does that" if own else "no package manager that we know is there"
    summary, hint = f"{host.name} has no Python that runs the payload", f"install Python 3.9 or newer there, {by_hand}"
    return PythonMissing(summary, manager=manager if own else "", why=why, hint=hint)


def wrong_password(host: Host) -> TargetUnreachable:
    """Sudo asked once more."""
    return TargetUnreachable(f"sudo on {host.name} did not accept the password", hint="correct VITRIFY_SUDO_PASSWORD or the secret")


def too_late(host: Host, seconds: float, said: Sequence[str]) -> TargetUnreachable:
    """Nothing came within the time that a connection has."""
    words = f"nothing came within {seconds:g} s" + (f": {said[-1]}" if said else "")
    return TargetUnreachable(f"{host.name} does not answer", why=words, hint="is it up, and does a firewall let SSH through?")


def broken(host: Host, code: int | None, said: Sequence[str]) -> TargetUnreachable:
    """A session that was open ended by itself."""
    return TargetUnreachable(
        f"the connection to {host.name} broke",
        why=_last_words(code, said),
        hint="run the same command again: what was begun goes on there, and is followed to its end",
    )


def _last_words(code: int | None, said: Sequence[str]) -> str:
    words = [line for line in said if line.strip("@ ")]
    if words:
        return "; ".join(words[-2:])
    return f"ssh was killed by signal {-code}" if code is not None and code < 0 else f"ssh ended with {code}"


def _filled(text: str, host: Host) -> str:
    return text.format(host=host.name, name=host.address if host.port in (None, 22) else f"[{host.address}]:{host.port}")
