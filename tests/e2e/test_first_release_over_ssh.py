"""The page that takes a newcomer from an empty folder to a blue-green deploy over SSH is followed to its end, on a machine with systemd.

Other than on the page are what no test can have: the machine's address and port, and a base of this machine's own Python, for no registry
is within reach.
"""

from __future__ import annotations

import http.client
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fleet import Control, Fleet, Reached
from vitrify.testing.python_root import python_root

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))

from pages import ROOT, Block, Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
PAGE = Page(ROOT / "docs" / "how-to" / "first-release-over-ssh.md")


def ours(text: str, machine: Reached, fleet: Fleet) -> str:
    """The declaration with the values of this test; each of those that it takes the place of is there, once."""
    values = {
        "ssh://deploy@web1.example": machine.url("admin"),
        "gcr.io/distroless/python3-debian12": "rootfs:../root",
        'listen: ":80"': f'listen: "{machine.address}:8080"',
        "project: notes\n": f"project: notes\nssh: {{config: {fleet.config}}}\n",
    }
    for here, there in values.items():
        assert text.count(here) == 1, here
        text = text.replace(here, there)
    return text


def follow(block: Block, control: Control, *, url: str) -> None:
    """Type the commands of a block; what it shows behind one is what comes."""
    ending = re.fullmatch(r"there(?:, exit (\d+))?", block.wish)
    assert ending, block.wish
    *_, (last, _) = block.steps
    for command, shown in block.steps:
        words = shlex.split(command.replace("http://web1.example/", url))
        if words[0] == "vitrify":
            said = control.run(*words[1:], expect=int(ending[1] or 0) if command == last else 0).stdout
        else:
            said = subprocess.run(words, cwd=control.folder, check=True, capture_output=True, text=True).stdout
        assert not shown.strip() or said.strip() == shown.strip(), command


def answers(address: str, stop: threading.Event) -> list[int]:
    """Ask over one connection until it is time to stop; the status of each answer, 0 for none in time."""
    found, connection = list[int](), http.client.HTTPConnection(address, 8080, timeout=10)
    while not stop.wait(0.05):
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        except (OSError, http.client.HTTPException):
            connection.close()
            found.append(0)
    connection.close()
    return found


def test_a_newcomer_follows_the_page_to_a_blue_green_deploy_and_loses_no_request(control: Control, fleet: Fleet) -> None:
    machine = fleet.boot()
    python_root(control.folder.parent / "root")
    url, stop, found = f"http://{machine.address}:8080/", threading.Event(), list[int]()
    asking = threading.Thread(target=lambda: found.extend(answers(machine.address, stop)))
    blocks = [block for block in PAGE.blocks if block.wish]

    try:
        for block in blocks:
            if block.wish.startswith("file "):
                path = control.folder / block.wish.removeprefix("file ")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(ours(block.text, machine, fleet) if path.name == "vitrify.yaml" else block.text)
                continue
            if block is blocks[-1]:  # it takes all away
                stop.set()
                asking.join()
            follow(block, control, url=url)
            if asking.ident is None:
                asking.start()  # something serves from now on
    finally:
        stop.set()

    assert set(found) == {200}
    assert machine.processes("/srv/app/app.py") == []
