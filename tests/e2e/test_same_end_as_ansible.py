"""A role of Ansible and the declaration beside it leave two machines in the same state, down to every file of theirs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from ansible_peer import play
from fleet import PORT, Control, Fleet
from live_host import LiveHost
from vitrify.core.digest import digest_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]  # the first time, Ansible and a Debian are fetched

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "from-ansible"

# What is a machine's own, what the account tools keep of one step before, and the salt of a password are nobody's wish.
STATE = r"""
import hashlib, json, os, re, stat
FOLDERS = ("/etc", "/srv", "/home", "/opt", "/usr/local", "/var/spool")
OWN = {"/etc/ssh/its_key", "/etc/ssh/sshd_config.d/fleet.conf", "/etc/machine-id"}
BACKUPS = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"}
SALTED = re.compile(rb"^([^:]+):\$[^:]+:", re.MULTILINE)
found = {}
for top in FOLDERS:
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            told = os.lstat(path)
            entry = [stat.filemode(told.st_mode), told.st_uid, told.st_gid]
            if stat.S_ISREG(told.st_mode):
                content = open(path, "rb").read()
                content = SALTED.sub(rb"\1:a hash:", content) if path == "/etc/shadow" else content
                entry.append(hashlib.sha256(content).hexdigest())
            if stat.S_ISLNK(told.st_mode):
                entry.append(os.readlink(path))
            if path not in OWN | BACKUPS:
                found[path] = entry
print(json.dumps(found, sort_keys=True))
"""


def state(machine: LiveHost) -> dict[str, list[object]]:
    """Type, mode, owner, group and content or target of every entry below the folders that hold what somebody set."""
    found: dict[str, list[object]] = json.loads(machine.run("/usr/bin/python3", "-I", "-c", STATE).stdout)
    return found


def running(machine: LiveHost) -> dict[str, str]:
    """How the unit stands, and with which settings it says that it is ready."""
    unit = machine.unit("shop", "ActiveState", "UnitFileState", "User", "FragmentPath", "NeedDaemonReload")
    ready, deadline = machine.path("/run/shop/ready"), time.monotonic() + 10
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return {**unit, "ready": ready.read_text()}


def test_a_role_and_its_declaration_leave_the_same_state(fleet: Fleet, control: Control, tmp_path: Path) -> None:
    theirs, ours = fleet.boot(), fleet.boot()
    before = state(ours.machine)
    shutil.copytree(EXAMPLE, control.folder, dirs_exist_ok=True)
    declared = (EXAMPLE / "vitrify.yaml").read_text().replace("ssh://root@shop.example", ours.url())
    control.declare(f"{declared}\nssh: {{config: {fleet.config}}}\n")

    told = play(control.folder / "site.yml", theirs.address, port=PORT, config=fleet.config, home=tmp_path / "their-home")
    control.run("apply")

    assert "failed=0" in told
    after, as_theirs = state(ours.machine), state(theirs.machine)
    paths = after.keys() | as_theirs.keys()
    assert {path: (after.get(path), as_theirs.get(path)) for path in paths if after.get(path) != as_theirs.get(path)} == {}
    assert digest_of(after) == digest_of(as_theirs)
    assert {"/etc/shop/shop.ini", "/etc/login.defs", "/etc/passwd"} <= {path for path in after if before.get(path) != after[path]}
    assert running(ours.machine) == running(theirs.machine)
    assert running(ours.machine)["ready"] == "4 workers, at most 100 orders\n"
    assert control.document("plan")["servers"][0]["changes"] == []
