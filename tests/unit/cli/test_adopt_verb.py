"""A patch is seen before it is written, and nothing is written without a yes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vitrify.cli.exits import Exit

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def test_the_patch_is_shown_first_and_only_a_yes_writes_it(console: Console) -> None:
    asked, written = console("audit", "adopt", "/etc/motd"), console("audit", "adopt", "/etc/motd", "-y")

    assert (asked.code, written.code) == (Exit.USAGE, Exit.DONE)
    for ended in (asked, written):
        assert "-mode: 0600" in ended.err
        assert "+mode: 0644" in ended.err
        assert "The same resource is used by web" in ended.err
    assert "Declared as it is there: file:/etc/motd (vitrify.yaml); ledger entry 9." in written.out
    document = json.loads(console("audit", "adopt", "/etc/motd", "-y", "-o", "json").out)
    assert (document["entry"], document["fields"], document["patches"][0]["file"]) == (9, ["mode"], "vitrify.yaml")
