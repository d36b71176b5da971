"""What looking at a host costs on the way to it: how often the talk changes its direction, and how much is said."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Control, Fleet, Reached

pytestmark = [pytest.mark.e2e, pytest.mark.root]

FILES = 130
"""With ten lines and three folders, 143 resources."""
MOST_FLIPS = 10
MOST_UP = 30_000


def declaration(fleet: Fleet, machine: Reached) -> str:
    files = "\n".join(
        f'      - file: {{path: /srv/app/conf/{number}.conf, template: ./conf.j2, vars: {{number: "{number}"}}, owner: root, mode: "0640"}}'
        for number in range(FILES)
    )
    lines = "\n".join(f'      - line: {{path: /etc/profile, line: "export SHOP_{number}=open"}}' for number in range(10))
    return f"""
version: 1
project: shop
ssh: {{config: {fleet.config}}}
servers:
  web:
    lifecycle: mutable
    hosts: ["{machine.url("admin")}"]
    resources:
      - directory: [/srv/app, /srv/app/conf, /srv/app/log]
{files}
{lines}
"""


def test_a_look_at_143_resources_is_a_short_talk(
    fleet: Fleet, control: Control, record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    machine = fleet.boot()
    (control.folder / "conf.j2").write_text("number = {{ number }}\n" * 20)
    control.declare(declaration(fleet, machine))
    control.run("apply")
    said = tmp_path / "said"
    end_connection(control)
    fleet.configure(f'Host *\n    ProxyCommand {sys.executable} {Path(__file__).parent / "relay.py"} %h %p "{said}"\n')

    bare = counted(control, said, lambda: control.bare(fleet, machine))
    ours = counted(control, said, lambda: control.run("plan", "--detailed-exitcode"))

    flips, up = ours["flips"] - bare["flips"], ours["up"] - bare["up"]
    record_property("note", f"a no-op over SSH, beyond `ssh true`: {flips} changes of direction, {up} bytes up (143 resources)")
    assert flips <= MOST_FLIPS
    assert up <= MOST_UP


def counted(control: Control, said: Path, work: Callable[[], object]) -> dict[str, int]:
    """What the relay counts while this is done over a connection of its own."""
    said.unlink(missing_ok=True)
    work()
    end_connection(control)
    deadline = time.monotonic() + 10
    while not (said.exists() and said.read_text()):
        assert time.monotonic() < deadline, "the relay says nothing"
        time.sleep(0.01)
    found: dict[str, int] = json.loads(said.read_text())
    return found


def end_connection(control: Control) -> None:
    for socket in (control.runtime / "vitrify").iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"], check=False, capture_output=True)
        while socket.exists():
            time.sleep(0.01)
