"""A value is changed where it stands: comments, order and all else stay, and what cannot be written is refused with why."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import Location, UsageInvalid
from vitrify.project.amending import Wished, amended, appended

TEXT = """\
# the shop
version: 1
servers:
  web:            # a pet
    lifecycle: mutable
    resources:
      - directory: /srv
      - file: {path: /etc/motd, content: "hello\\n", mode: "0644"}  # what they see
      # the next one is long
      - file:
          path: /etc/issue  # before the login
          content: |
            one
            two

          # who may read it
          mode: "0600"
      - file: {path: /etc/host, content: "${var.name}\\n"}
      - service: {name: nginx, running: true}
    # and no more
    hosts: [local]
"""


def at(text: str) -> Location:
    """Where the kind of the resource with this in it stands."""
    line = next(number for number, one in enumerate(TEXT.splitlines(), 1) if text in one)
    return Location("vitrify.yaml", line, TEXT.splitlines()[line - 1].index(text.split(maxsplit=1)[0].rstrip(":")) + 1)


@pytest.mark.parametrize(
    ("place", "wished", "old", "new"),
    [
        ("file: {path: /etc/motd", {"mode": "0600"}, 'mode: "0644"}', 'mode: "0600"}'),
        ("file: {path: /etc/motd", {"content": "a\nb\n"}, '"hello\\n"', '"a\\nb\\n"'),
        ("file: {path: /etc/motd", {"owner": "root"}, 'mode: "0644"}', 'mode: "0644", owner: root}'),
        ("directory: /srv", {"mode": "0700"}, "directory: /srv", 'directory: {path: /srv, mode: "0700"}'),
        ("service: {name: nginx", {"running": False}, "running: true", "running: false"),
        ("file:\n", {"content": "three\n\nfour\n"}, "            one\n            two\n", "            three\n\n            four\n"),
        ("file:\n", {"content": "one line\n"}, "|\n            one\n            two\n", '"one line\\n"\n'),
        ("file:\n", {"mode": "0644"}, 'mode: "0600"', 'mode: "0644"'),
        ("file:\n", {"owner": "www-data"}, 'mode: "0600"\n', 'mode: "0600"\n          owner: www-data\n'),
    ],
)
def test_one_value_is_another_one_and_nothing_else_is(place: str, wished: Wished, old: str, new: str) -> None:
    where = Location("vitrify.yaml", 10, 9) if place == "file:\n" else at(place)

    assert amended(TEXT, where, wished) == TEXT.replace(old, new, 1)


def test_several_values_are_changed_at_once() -> None:
    changed = amended(TEXT, at("file: {path: /etc/motd"), {"mode": "0600", "owner": "root", "content": "bye\n"})

    assert '- file: {path: /etc/motd, content: "bye\\n", mode: "0600", owner: root}  # what they see\n' in changed


def test_what_nobody_declared_comes_behind_all_others() -> None:
    wished: Wished = {"path": "/srv/new", "content": "one\ntwo\n", "mode": "0644"}

    changed = appended(TEXT, Location("vitrify.yaml", 4, 3), "file", wished)

    margin = " " * 12
    lines = ("      - file:", f"{margin}path: /srv/new", f"{margin}content: |", f"{margin}  one", f"{margin}  two", f'{margin}mode: "0644"')
    added = "".join(f"{line}\n" for line in lines)
    assert changed == TEXT.replace("running: true}\n", f"running: true}}\n{added}")


@pytest.mark.parametrize(
    ("where", "wished", "why"),
    [
        (at("file: {path: /etc/host"), {"content": "x\n"}, "made of variables"),
        (Location("vitrify.py", 7, 1), {"mode": "0600"}, "not declared in YAML"),
        (Location("vitrify.yaml", 7, 20), {"mode": "0600"}, "does not stand there by itself"),
    ],
)
def test_what_cannot_be_written_is_refused_with_why(where: Location, wished: Wished, why: str) -> None:
    with pytest.raises(UsageInvalid, match=why):
        amended(TEXT, where, wished)


def test_a_server_whose_resources_stand_on_one_line_is_left_to_its_author() -> None:
    with pytest.raises(UsageInvalid, match="not a list of lines"):
        appended("servers:\n  web:\n    resources: []\n", Location("vitrify.yaml", 2, 3), "file", {"path": "/x"})


def test_a_value_of_an_anchor_is_left_to_its_author() -> None:
    text = 'x: &mode "0644"\nservers:\n  web:\n    resources:\n      - file: {path: /x, mode: *mode}\n'

    with pytest.raises(UsageInvalid, match="written elsewhere"):
        amended(text, Location("vitrify.yaml", 5, 9), {"mode": "0600"})
