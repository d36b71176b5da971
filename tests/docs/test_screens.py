"""The failures that the documents show are those that the command line shows."""

from __future__ import annotations

import pytest
from tools.scenes import SCENES
from tools.screens import blocks, lacking, masked, pages, screen

SHOWN = {name: text for page in pages() for name, text in blocks(page.read_text(encoding="utf-8")).items()}


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_failure_looks_as_it_is_shown(name: str) -> None:
    scene = SCENES[name]
    if reason := lacking(scene):
        pytest.skip(reason)

    assert SHOWN[name] == screen(scene), "./run fix writes it"


def test_every_screen_on_a_page_is_of_a_scene() -> None:
    assert not SHOWN.keys() - SCENES.keys()


def test_what_differs_from_run_to_run_is_masked_and_nothing_else() -> None:
    said = "run 20260204T104807-d380f8a5 by bob@desk, 17 s ago (312 ms) of /tmp/x/shop, process 88, 12 files, 3 s left\n"

    assert masked(said, "/tmp/x") == (
        "run 20260801T090000-0a1b2c3d by ada@laptop, 1 s ago (1 s) of /home/ada/shop, process 4711, 12 files, 3 s left\n"
    )
