"""How much a difference matters to whoever defends a host: one table, the first row that fits. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Callable, Optional, Tuple

from vitrify.core.lent import lent
from vitrify.core.noise import Difference, Noise


class Severity(Enum):
    """From what hands the host over to what hardly anybody needs to know."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Row:
    """One row: what it is about, and where."""

    severity: Severity
    about: str
    paths: Tuple[str, ...] = ()
    holds: Optional[Callable[[Difference], bool]] = None

    def fits(self, difference: Difference) -> bool:
        """Whether the difference is of this sort."""
        if self.holds is not None:
            return self.holds(difference)
        return any(Noise(path, "").matches(difference.path) for path in self.paths)


def _lends(difference: Difference) -> bool:
    return bool(lent(difference.now)) and (lent(difference.before) != lent(difference.now) or _other_content(difference))


def _other_content(difference: Difference) -> bool:
    before, now = difference.before or {}, difference.now or {}
    return before.get("sha256") != now.get("sha256")


def _device(difference: Difference) -> bool:
    return difference.now is not None and difference.now.get("type") == "device"


def _open_to_all(difference: Difference) -> bool:
    now = difference.now
    if now is None or now.get("type") not in ("file", "directory"):
        return False
    mode = int(str(now.get("mode", "0")), 8)
    return bool(mode & 0o002) and not (now.get("type") == "directory" and mode & 0o1000)


TABLE: Tuple[Row, ...] = (
    Row(Severity.CRITICAL, "it lends its owner's rights to whoever runs it", holds=_lends),
    Row(Severity.CRITICAL, "who may become root", ("/etc/sudoers", "/etc/sudoers.d/**", "/etc/doas.conf", "/etc/polkit-1/**")),
    Row(
        Severity.CRITICAL,
        "who is let in",
        ("**/.ssh/authorized_keys*", "/etc/ssh/authorized_keys*/**", "/etc/ssh/**", "**/.rhosts", "**/.shosts"),
    ),
    Row(
        Severity.CRITICAL,
        "who is let in",
        ("/etc/pam.d/**", "/etc/pam.conf", "/etc/security/**", "**/security/pam_*.so", "/etc/hosts.equiv"),
    ),
    Row(Severity.CRITICAL, "who there is", ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid")),
    Row(Severity.CRITICAL, "every program loads it", ("/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/**", "/etc/environment")),
    Row(
        Severity.CRITICAL,
        "the kernel runs it",
        ("/lib/modules/**", "/usr/lib/modules/**", "/etc/modules*", "/etc/modprobe.d/**", "/boot/**"),
    ),
    Row(Severity.CRITICAL, "it is a device", holds=_device),
    Row(Severity.HIGH, "it is started by itself", ("**/systemd/system/**", "**/systemd/user/**", "**/systemd/system-generators/**")),
    Row(
        Severity.HIGH,
        "it is started by itself",
        ("/etc/systemd/**", "/etc/init.d/**", "/etc/rc*/**", "/etc/rc.local", "/etc/inittab", "/etc/udev/**"),
    ),
    Row(
        Severity.HIGH,
        "it is started by itself",
        ("/etc/cron*", "/etc/cron*/**", "/etc/anacrontab", "/var/spool/cron/**", "/var/spool/at/**"),
    ),
    Row(
        Severity.HIGH,
        "it is started by itself",
        ("/etc/dbus-1/**", "/usr/share/dbus-1/**", "/etc/xdg/autostart/**", "**/.config/autostart/**"),
    ),
    Row(
        Severity.HIGH, "a shell reads it", ("/etc/profile", "/etc/profile.d/**", "/etc/bash*", "/etc/zsh/**", "/etc/skel/**", "/etc/shells")
    ),
    Row(
        Severity.HIGH, "a shell reads it", ("**/.bash*", "**/.profile", "**/.zsh*", "**/.inputrc", "/etc/inputrc", "/etc/update-motd.d/**")
    ),
    Row(Severity.HIGH, "packages come from there", ("/etc/apt/**", "/etc/yum.repos.d/**", "/usr/share/keyrings/**", "/etc/dpkg/**")),
    Row(
        Severity.HIGH,
        "programs find others by it",
        ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/ssl/**", "/usr/local/share/ca-certificates/**"),
    ),
    Row(
        Severity.HIGH, "it is a program", ("/bin/**", "/sbin/**", "/usr/bin/**", "/usr/sbin/**", "/usr/local/bin/**", "/usr/local/sbin/**")
    ),
    Row(Severity.HIGH, "programs load it", ("/lib/**", "/lib64/**", "/usr/lib/**", "/usr/local/lib/**", "**/sitecustomize.py", "**/*.pth")),
    Row(
        Severity.HIGH,
        "it keeps watch",
        ("/etc/audit/**", "/etc/rsyslog*", "/etc/rsyslog.d/**", "/etc/logrotate*", "/etc/logrotate.d/**", "/var/log/**"),
    ),
    Row(Severity.HIGH, "everybody may write to it", holds=_open_to_all),
    Row(Severity.MEDIUM, "it is settings of the host", ("/etc/**",)),
    Row(Severity.MEDIUM, "its name hides it", ("**/.*", "**/.*/**", "**/ *", "**/* ")),
    Row(Severity.MEDIUM, "nobody declared it", ("/**",)),
)


def rated(difference: Difference) -> Tuple[Severity, str]:
    """How much it matters, and why."""
    found = next((row for row in TABLE if row.fits(difference)), None)
    return (found.severity, found.about) if found else (Severity.MEDIUM, "")
