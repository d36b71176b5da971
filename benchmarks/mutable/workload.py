"""The one workload that all tools carry out: 3 folders, 100 templates, 20 packages, 5 users, 5 units, 10 lines; 143 resources.

Each tool gets it in its own words, in the form that suits it best: loops where it has them, all packages in one call.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("/srv/bench", "/srv/bench/conf", "/srv/bench/log")
TEMPLATES = range(100)
PACKAGES = (
    *("acl", "bash", "bsdutils", "coreutils", "cron", "dash", "dbus", "debianutils", "diffutils", "dpkg"),
    *("findutils", "grep", "gzip", "login", "mount", "openssh-server", "passwd", "sed", "sudo", "util-linux"),
)
"""All machines have these: what is compared is looking at packages, not a mirror."""
USERS = {f"bench{number}": 2000 + number for number in range(1, 6)}
UNITS = tuple(f"bench-{number}.service" for number in range(1, 6))
LINES = tuple(f"export BENCH_{number}=open" for number in range(10))
COUNT = len(FOLDERS) + len(TEMPLATES) + len(PACKAGES) + len(USERS) + len(UNITS) + len(LINES)

TEMPLATE = "number = {{ number }}\n" * 20
PROFILE = "/etc/profile"
_UNIT = "[Unit]\nDescription=The unit {name}\n\n[Service]\nExecStart=/usr/bin/sleep infinity\n"

_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - file: {path: "{{ item }}", state: directory, owner: root, group: root, mode: "0755"}
      loop: FOLDERS
    - template: {src: conf.j2, dest: "/srv/bench/conf/{{ number }}.conf", owner: root, group: root, mode: "0640"}
      loop: "{{ range(100) | list }}"
      loop_control: {loop_var: number}
    - apt: {name: PACKAGES, state: present}
    - user: {name: "{{ item.name }}", uid: "{{ item.uid }}", shell: /bin/sh, create_home: false}
      loop: USERS
    - copy: {src: "{{ item }}", dest: "/etc/systemd/system/{{ item }}", owner: root, group: root, mode: "0644"}
      loop: UNITS
    - lineinfile: {path: /etc/profile, line: "{{ item }}"}
      loop: LINES
"""
_DEPLOY = """\
from pyinfra import config
from pyinfra.operations import apt, files, server

config.SUDO = True
for path in FOLDERS:
    files.directory(path=path, user="root", group="root", mode="755")
for number in range(100):
    files.template(src="conf.j2", dest=f"/srv/bench/conf/{number}.conf", user="root", group="root", mode="640", number=number)
apt.packages(packages=PACKAGES)
for item in USERS:
    server.user(user=item["name"], uid=item["uid"], shell="/bin/sh", ensure_home=False)
for unit in UNITS:
    files.put(src=unit, dest=f"/etc/systemd/system/{unit}", user="root", group="root", mode="644")
for line in LINES:
    files.line(path="/etc/profile", line=line)
"""

READ = f"""\
set -e
cd /
stat -c '%F %a %U %G %n' {" ".join(FOLDERS)}
for i in $(seq 0 99); do echo /srv/bench/conf/$i.conf; done > /tmp/paths
for i in 1 2 3 4 5; do echo /etc/systemd/system/bench-$i.service; done >> /tmp/paths
xargs stat -c '%a %U %G %n' < /tmp/paths
xargs sha256sum < /tmp/paths
dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\\n' {" ".join(PACKAGES)}
getent passwd {" ".join(USERS)}
systemctl show -p NeedDaemonReload {" ".join(UNITS)}
for i in $(seq 0 9); do grep -cxF "export BENCH_$i=open" {PROFILE}; done
"""
"""The floor: one script of sh that reads the state which tells whether anything is left to do."""

CLEAN = f"""\
rm -rf /srv/bench /var/lib/vitrify /var/cache/vitrify /etc/systemd/system/bench-*.service
for i in 1 2 3 4 5; do userdel bench$i 2>/dev/null; groupdel bench$i 2>/dev/null; done
sed -i '/^export BENCH_/d' {PROFILE}
systemctl daemon-reload
"""

END = f"""\
set -e
cd /
dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\\n' {" ".join(PACKAGES)}
grep '^bench' /etc/passwd | sort
grep '^bench' /etc/group | sort
find /srv/bench /etc/systemd/system/bench-*.service -printf '%p %y %m %U %G\\n' | sort
find /srv/bench /etc/systemd/system/bench-*.service -type f | sort | xargs sha256sum
sha256sum < {PROFILE}
"""
"""What must be equal in the end, whichever tool was there."""


@dataclass(frozen=True)
class Target:
    """A machine as every tool is told of it."""

    name: str
    address: str
    port: int


def unit(name: str) -> str:
    """The text of a unit file."""
    return _UNIT.format(name=name)


def write(folder: Path, targets: Sequence[Target], config: Path) -> None:
    """The workload for these machines, for all tools; `config` is an ssh_config that leads to them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conf.j2").write_text(TEMPLATE)
    for name in UNITS:
        (folder / name).write_text(unit(name))
    (folder / "vitrify.yaml").write_text(_declaration(targets, config))
    (folder / "playbook.yml").write_text(_filled(_PLAYBOOK))
    (folder / "deploy.py").write_text(_filled(_DEPLOY))
    (folder / "hosts.ini").write_text("".join(f"{one.name} ansible_host={one.address} ansible_port={one.port}\n" for one in targets))
    shared = {"ssh_user": "admin", "ssh_key": str(config.parent / "key"), "ssh_known_hosts_file": str(config.parent / "known_hosts")}
    hosts = [(one.name, {**shared, "ssh_hostname": one.address, "ssh_port": one.port}) for one in targets]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")


def _filled(text: str) -> str:
    users = [{"name": name, "uid": uid} for name, uid in USERS.items()]
    for word, value in {"FOLDERS": FOLDERS, "PACKAGES": PACKAGES, "USERS": users, "UNITS": UNITS, "LINES": LINES}.items():
        text = text.replace(word, json.dumps(value))
    return text


def _declaration(targets: Sequence[Target], config: Path) -> str:
    files = [f'file: {{path: /srv/bench/conf/{n}.conf, template: ./conf.j2, vars: {{number: "{n}"}}, mode: "0640"}}' for n in TEMPLATES]
    users = [f"user: {{name: {name}, uid: {uid}, shell: /bin/sh, create_home: false}}" for name, uid in USERS.items()]
    units = [f"unit: {{name: {name}, template: ./{name}}}" for name in UNITS]
    lines = [f'line: {{path: {PROFILE}, line: "{line}"}}' for line in LINES]
    folders, packages = (json.dumps(value) for value in (FOLDERS, PACKAGES))
    resources = [f"directory: {folders}", *files, f"package: {packages}", *users, *units, *lines]
    hosts = json.dumps([f"ssh://admin@{one.address}:{one.port}" for one in targets])
    listed = "".join(f"      - {one}\n" for one in resources)
    return (
        f"version: 1\nproject: bench\nssh: {{config: {config}}}\nservers:\n"
        f"  web:\n    lifecycle: mutable\n    hosts: {hosts}\n    batch: [100%]\n    resources:\n{listed}"
    )


def script() -> str:
    """One script of sh that does it all, as somebody would write it by hand who knows that nothing is there yet."""
    text = TEMPLATE.replace("{{ number }}", "$i")
    units = "".join(f"cat > /etc/systemd/system/{name} <<'END'\n{unit(name)}END\n" for name in UNITS)
    users = "".join(f"useradd --no-create-home --uid {uid} --shell /bin/sh {name}\n" for name, uid in USERS.items())
    lines = "".join(f"grep -qxF '{line}' {PROFILE} || echo '{line}' >> {PROFILE}\n" for line in LINES)
    return (
        f"set -e\ncd /\numask 022\nmkdir -p {' '.join(FOLDERS)}\n"
        f"for i in $(seq 0 99); do\ncat > /srv/bench/conf/$i.conf <<END\n{text}END\n"
        "chmod 0640 /srv/bench/conf/$i.conf\nchown root:root /srv/bench/conf/$i.conf\ndone\n"
        f"dpkg-query -W {' '.join(PACKAGES)} >/dev/null || apt-get install -y {' '.join(PACKAGES)}\n"
        f"{users}{units}chmod 0644 {' '.join('/etc/systemd/system/' + name for name in UNITS)}\nsystemctl daemon-reload\n{lines}"
    )
