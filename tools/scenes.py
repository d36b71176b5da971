"""Failures that people meet, as scenes for the real command line: what is there before, and what somebody types then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Scene:
    """One failure. `before` and `after` are commands that do not show, `shown` are those that do, with all that they say."""

    files: Mapping[str, str]
    shown: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    """Mounts in a namespace that this scene alone sees."""
    programs: tuple[str, ...] = field(default=())


def _shop(*resources: str, hosts: str = '"root:./machine"', head: str = "") -> Mapping[str, str]:
    lines = [
        "version: 1",
        "project: shop",
        *([head] if head else []),
        "servers:",
        "  web:",
        "    lifecycle: mutable",
        f"    hosts: [{hosts}]",
    ]
    return {"vitrify.yaml": "\n".join([*lines, "    resources:", *(f"      - {one}" for one in resources), ""])}


_MOTD = 'file: {path: /etc/motd, content: "hello\\n"}'
_ETC = "directory: /etc"
_BY_SED = "sed -i 's/hello/good morning/' vitrify.yaml"
_PRIVATE = (
    "mount -t tmpfs none /srv",
    "mkdir -p /var/lib/vitrify",
    "mount -t tmpfs -o mode=700 none /var/lib/vitrify",
    "mount -t tmpfs none /run/lock",
)
"""This very machine as the host: what is written on it is seen by this scene alone."""
_SLOW = (
    'command: {name: migrate, run: [/usr/bin/timeout, "60", /bin/sh, -c, "touch /srv/begun; while [ -e /srv/begun ]; do sleep 0.1; done"],'
    " creates: /srv/migrated}"
)

SCENES: Final[Mapping[str, Scene]] = {
    "mistakes": Scene(
        _shop(
            "file: {path: /etc/motd, contents: hello}",
            "file: {path: etc/hosts, source: ./hosts}",
            "packages: nginx",
        ),
        ("vitrify plan",),
    ),
    "missing-secret": Scene(
        _shop(_ETC, 'file: {path: /etc/token, content: "secret:token"}', head="secrets: {token: {env: SHOP_TOKEN}}"),
        ("vitrify apply -y",),
        before=("mkdir machine",),
    ),
    "nobody-says-yes": Scene(_shop(_ETC, _MOTD), ("vitrify apply",), before=("mkdir machine",)),
    "plan-is-stale": Scene(
        _shop(_ETC, _MOTD),
        ("vitrify plan -o plan.json", "echo 'back soon' > machine/etc/motd", "vitrify apply plan.json -y"),
        before=("mkdir -p machine/etc", "vitrify apply -y", _BY_SED),
    ),
    "step-fails": Scene(
        _shop('file: {path: /etc/shop/shop.conf, content: "workers = 4\\n"}', 'file: {path: /etc/motd, content: "hello\\n"}'),
        ("vitrify apply -y",),
        before=("mkdir -p machine/etc",),
    ),
    "command-fails": Scene(
        _shop(
            'command: {name: migrate, run: [/bin/sh, -c, "echo table orders is locked >&2; exit 3"], creates: /srv/migrated}',
            'file: {path: /srv/version, content: "2\\n"}',
            hosts="local",
        ),
        ("vitrify apply -y",),
        mounts=_PRIVATE,
        programs=("unshare",),
    ),
    "full-disk": Scene(
        {**_shop(_ETC, "file: {path: /etc/motd, source: ./large}")},
        ("vitrify apply -y",),
        mounts=("mkdir machine", "mount -t tmpfs -o size=600k none machine"),
        before=("head -c 400000 /dev/zero | tr '\\0' x > large", "mkdir machine/etc", "head -c 300000 /dev/zero > machine/etc/filler"),
        programs=("unshare",),
    ),
    "read-only": Scene(
        _shop(_ETC, _MOTD),
        ("vitrify apply -y",),
        mounts=("mkdir -p machine/etc", "mount --bind machine machine", "mount -o remount,ro,bind machine"),
        programs=("unshare",),
    ),
    "two-at-once": Scene(
        _shop(_SLOW, hosts="local"),
        ("vitrify apply -y",),
        mounts=_PRIVATE,
        before=("vitrify apply -y &", "while [ ! -e /srv/begun ]; do sleep 0.02; done"),
        after=("rm /srv/begun", "wait"),
        programs=("unshare",),
    ),
    "nothing-answers": Scene(
        _shop(_ETC, _MOTD, hosts='"ssh://admin@127.0.0.1:9"'),
        ("vitrify plan",),
        programs=("ssh",),
    ),
    "undo-is-refused": Scene(
        _shop(_ETC, _MOTD),
        ("vitrify undo web -y",),
        before=("mkdir -p machine/etc", "vitrify apply -y", "echo 'back soon' > machine/etc/motd"),
    ),
    "ledger-was-touched": Scene(
        _shop(_ETC, _MOTD),
        ("vitrify ledger verify",),
        before=("mkdir -p machine/etc", "vitrify apply -y", 'sed -i "s/apply.done/apply.gone/" $(grep -rl apply.done "$VITRIFY_HOME")'),
    ),
}
"""Name -> scene."""
