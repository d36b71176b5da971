"""The page on the memory tells of exactly the records and keys that a run writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vitrify.core.stranger import Stranger
from vitrify.testing.engine import MEMORY, Engine, wish

PAGE = Path(__file__).parents[2].joinpath("docs", "formats", "host-memory.md").read_text(encoding="utf-8")
KIND = Stranger("logrotate", "Logrotate", Path(__file__).parents[2].joinpath("examples", "kind", "vitrify_logrotate.py").read_bytes())
ROW = re.compile(r"^\| `(?P<record>[a-z.]+)` \| (?P<keys>.+?) \| ", re.MULTILINE)


def told(row: re.Match[str]) -> set[str]:
    keys = re.sub(r"\([^)]*\)|: .*$", "", row["keys"])
    return set(re.findall(r"`(\w+)`", keys)) | {"record"}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(tmp_path)
    (tmp_path / "hosts").write_text("hello\n")
    engine.contents[KIND.reference.digest] = KIND.source
    wishes = (engine.file("/hosts", "hello\n"), engine.file("/motd", "one\n"), wish("directory", path="/srv"))
    engine.call("enact", **engine.plan(*wishes), kinds=[KIND.reference.to_json()])
    engine.call("undo", run="", force=False, by="ada")
    return engine


def test_each_record_has_the_keys_that_the_page_tells(engine: Engine) -> None:
    lines = (engine.root / MEMORY / "runs/r1/journal.ndjson").read_text().splitlines()
    written = {str(record["record"]): set(record) for record in map(json.loads, lines)}

    assert written == {row["record"]: told(row) for row in ROW.finditer(PAGE) if row["record"] != "record"}


def test_the_memory_holds_the_files_that_the_page_lists(engine: Engine) -> None:
    found = {path.name for path in (engine.root / MEMORY).iterdir()}
    listed = set(re.findall(r"^([a-z]+(?:\.json)?)(?:/\S*)?  ", PAGE, re.MULTILINE))

    assert listed - {"attributes.json", "kept", "ledger", "packages", "quarantine"} <= found <= listed
