"""Ways in which an intruder stays or hides, as data: what is done, where it must be found, and how severe that is.

Of the standard library alone: on a host that is really attacked its own Python does them.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Act = Callable[[Path], None]

DECLARED: Mapping[str, str] = {
    "/etc/crontab": "17 * * * * root run-parts /etc/cron.hourly\n",
    "/etc/motd": "hello\n",
    "/etc/ssh/sshd_config": "PermitRootLogin no\n",
    "/etc/sudoers": "root ALL=(ALL) ALL\n",
    "/etc/systemd/system/app.service": "[Service]\nExecStart=/usr/bin/app\n",
    "/root/.ssh/authorized_keys": "ssh-ed25519 AAAA ada\n",
}
"""What is declared: an apply repairs it."""
THERE = (
    *(
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/profile",
        "/etc/bash.bashrc",
        "/etc/environment",
    ),
    *("/etc/shells", "/etc/ld.so.conf", "/etc/pam.d/sshd", "/etc/pam.d/common-auth", "/etc/apt/sources.list", "/etc/rsyslog.conf"),
    *("/etc/logrotate.conf", "/etc/modules", "/etc/systemd/journald.conf", "/etc/cron.daily/backup", "/etc/init.d/ssh", "/etc/rc.local"),
    *("/usr/bin/ls", "/usr/bin/ps", "/usr/bin/bash", "/usr/sbin/sshd", "/usr/lib/security/pam_unix.so", "/usr/lib/python3/apt.py"),
    *("/root/.bashrc", "/root/.profile", "/home/ada/.bashrc", "/var/spool/cron/crontabs/root", "/boot/vmlinuz", "/etc/audit/audit.rules"),
)
"""What else is on the host, of a line each."""
FORBIDDEN = ("/etc/anacrontab", "/etc/hosts.equiv", "/etc/ld.so.preload", "/root/.rhosts", "/root/.ssh/authorized_keys2")
"""What a hardened host declares absent."""
LOGS = ("/var/log/auth.log", "/var/log/wtmp", "/var/log/audit/audit.log")
LINKS = {"/etc/systemd/system/multi-user.target.wants/auditd.service": "/usr/lib/systemd/system/auditd.service"}


@dataclass(frozen=True)
class Attack:
    """One of them."""

    name: str
    path: str
    act: Act
    severity: str
    change: str
    declarable: bool = True
    """Whether a kind of resource declares what is changed, so that an apply puts it back."""


def _at(root: Path, path: str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _written(path: str, text: str, mode: int) -> Act:
    def act(root: Path) -> None:
        _at(root, path).write_text(text)
        _at(root, path).chmod(mode)

    return act


def _more(path: str, text: str) -> Act:
    def act(root: Path) -> None:
        with _at(root, path).open("a") as file:
            file.write(text)

    return act


def _stamped(path: str, text: str) -> Act:
    """The content is another one of the same length, and its times are put back."""

    def act(root: Path) -> None:
        place = _at(root, path)
        status = place.stat()
        content = text.encode().ljust(status.st_size, b" ")[: status.st_size]
        try:
            place.write_bytes(content)
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
            _in_place_of(place, content)  # a program that runs cannot be written to
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))

    return act


def _in_place_of(place: Path, content: bytes) -> None:
    other = place.with_name(f"{place.name}~")
    other.write_bytes(content)
    shutil.copymode(place, other)
    other.replace(place)


def _linked(path: str, to: str) -> Act:
    def act(root: Path) -> None:
        _at(root, path).unlink(missing_ok=True)
        _at(root, path).symlink_to(to)

    return act


def _marked(path: str, name: str, value: bytes) -> Act:
    def act(root: Path) -> None:
        os.setxattr(_at(root, path), name, value)

    return act


def _rights(path: str, mode: int) -> Act:
    return lambda root: _at(root, path).chmod(mode)


def _gone(path: str) -> Act:
    return lambda root: _at(root, path).unlink()


def added(severity: str, path: str, text: str = "#!/bin/sh\nnc -l\n", *, mode: int = 0o755) -> Attack:
    """A file that was not there."""
    return Attack(f"{path} appears", path, _written(path, text, mode), severity, "added")


def grown(severity: str, path: str, text: str = "evil\n") -> Attack:
    """A line more."""
    return Attack(f"{path} has a line more", path, _more(path, text), severity, "changed")


def stamped(severity: str, path: str, text: str = "backdoor") -> Attack:
    """Another content under the old times."""
    return Attack(f"{path} is another one with its old times", path, _stamped(path, text), severity, "changed")


def moded(severity: str, path: str, mode: int) -> Attack:
    """Other rights."""
    return Attack(f"{path} has mode {mode:04o}", path, _rights(path, mode), severity, "changed")


def gone(severity: str, path: str) -> Attack:
    """It is there no more."""
    return Attack(f"{path} is gone", path, _gone(path), severity, "removed")


def able(path: str) -> Attack:
    """A program with capabilities."""
    return Attack(f"{path} has capabilities", path, _marked(path, "security.capability", CAPABLE), "critical", "changed", declarable=False)


def led(severity: str, path: str, to: str, *, change: str) -> Attack:
    """A link that leads elsewhere."""
    return Attack(f"{path} leads to {to}", path, _linked(path, to), severity, change)


CAPABLE = bytes.fromhex("0100000280000000000000000000000000000000")
"""cap_setuid, permitted and effective."""
_STARTED = (
    *("/etc/cron.d/.x", "/etc/cron.hourly/x", "/var/spool/cron/crontabs/ada", "/var/spool/at/a0001", "/etc/anacrontab"),
    *("/etc/systemd/system/x.service", "/etc/systemd/system/x.timer", "/etc/systemd/system/x.socket", "/etc/systemd/system/x.path"),
    *("/etc/systemd/system/ssh.service.d/x.conf", "/etc/systemd/user/x.service", "/usr/lib/systemd/system-generators/x"),
    *("/root/.config/systemd/user/x.service", "/etc/udev/rules.d/99-x.rules", "/etc/xdg/autostart/x.desktop", "/etc/dbus-1/system.d/x"),
)
_STARTED_ALREADY = (
    *("/etc/crontab", "/etc/cron.daily/backup", "/var/spool/cron/crontabs/root", "/etc/rc.local", "/etc/init.d/ssh"),
    "/etc/systemd/system/app.service",
)
_READ_BY_SHELLS = ("/etc/profile", "/etc/bash.bashrc", "/root/.bashrc", "/root/.profile", "/home/ada/.bashrc", "/etc/shells")
_MORE_OF_THAT = ("/etc/profile.d/x.sh", "/root/.bash_logout", "/home/ada/.zshrc", "/etc/update-motd.d/99-x", "/etc/skel/.zshrc")
_LETS_IN = (
    *("/root/.ssh/authorized_keys", "/etc/ssh/sshd_config", "/etc/pam.d/sshd", "/etc/pam.d/common-auth", "/etc/sudoers"),
    *("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/environment", "/etc/ld.so.conf", "/etc/modules"),
)
_LETS_IN_ANEW = (
    *("/home/ada/.ssh/authorized_keys", "/root/.ssh/authorized_keys2", "/etc/ssh/sshd_config.d/x.conf", "/etc/sudoers.d/x"),
    *("/root/.rhosts", "/etc/hosts.equiv", "/etc/security/namespace.d/x.conf", "/usr/lib/security/pam_x.so", "/etc/polkit-1/rules.d/x"),
    *("/etc/ld.so.preload", "/etc/modprobe.d/x.conf", "/usr/lib/modules/6.1/x.ko"),
)
_PROGRAMS = ("/usr/bin/ls", "/usr/bin/ps", "/usr/sbin/sshd", "/usr/lib/python3/apt.py")
_NEW_PROGRAMS = (
    *("/usr/local/bin/ls", "/usr/lib/python3/sitecustomize.py", "/usr/lib/python3/x.pth", "/usr/bin/... ", "/usr/sbin/ "),
    *("/var/log/.x", "/etc/apt/apt.conf.d/99x", "/etc/logrotate.d/x"),
)
_LED_ASTRAY = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/apt/sources.list", "/etc/rsyslog.conf", "/etc/audit/audit.rules")
_WANTS = "/etc/systemd/system/multi-user.target.wants"


def put_back_by_apply(attack: Attack) -> bool:
    """Whether a hardened host declares how the path is; otherwise whoever reads the finding puts it back by hand."""
    return attack.declarable and attack.path in (*DECLARED, *THERE, *FORBIDDEN)


ATTACKS: tuple[Attack, ...] = (
    *(added("high", path) for path in (*_STARTED, *_MORE_OF_THAT, *_NEW_PROGRAMS)),
    *(grown("high", path) for path in (*_STARTED_ALREADY, *_READ_BY_SHELLS, *_LED_ASTRAY)),
    gone("high", f"{_WANTS}/auditd.service"),
    led("high", "/etc/systemd/system/auditd.service", "/dev/null", change="added"),
    led("high", f"{_WANTS}/x.service", "/tmp/x.service", change="added"),
    led("high", "/usr/bin/ps", "/tmp/ps", change="changed"),
    moded("high", "/etc/cron.daily/backup", 0o777),
    *(stamped("high", path) for path in _PROGRAMS),
    *(stamped("high", path, "nothing happened") for path in LOGS),
    *(gone("high", path) for path in LOGS),
    *(Attack(f"{path} is emptied", path, _written(path, "", 0o644), "high", "changed") for path in LOGS),
    *(grown("critical", path) for path in _LETS_IN),
    *(added("critical", path, mode=0o644) for path in _LETS_IN_ANEW),
    *(stamped("critical", path) for path in ("/usr/lib/security/pam_unix.so", "/boot/vmlinuz")),
    *(added("critical", path, mode=0o4755) for path in ("/usr/bin/.hidden", "/usr/lib/x", "/home/ada/.cache/x")),
    *(moded("critical", path, mode) for path, mode in (("/usr/bin/bash", 0o4755), ("/usr/bin/ls", 0o2755), ("/etc/shadow", 0o666))),
    able("/usr/bin/ps"),
    added("medium", "/home/ada/. /x"),
    grown("medium", "/etc/motd"),
)
