"""The page on baselines is enough to read one: this reader shares nothing with what wrote it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import struct
import zlib
from pathlib import Path

import pytest

from vitrify.core.digest import JSON, digest_of
from vitrify.testing.engine import MEMORY, Engine, quick_folder, wish

PAGE = Path(__file__).parents[2].joinpath("docs", "formats", "baseline.md").read_text(encoding="utf-8")
Row = tuple[bytes, list[bytes], list[bytes], bytes, list[list[JSON]], str, bytes]


def records(content: bytes) -> dict[str, Row]:
    """Path -> digest, names, folders, seen, prints, path, and the whole record."""
    found: dict[str, Row] = {}
    while content:
        whole, *lengths = struct.unpack(">6I", content[:24])
        parts, at = [], 56
        for length in lengths:
            parts.append(content[at : at + length])
            at += length
        assert at == whole
        path, names, folders, seen, prints = parts
        listed = [names.split(b"\0") if names else [], folders.split(b"\0") if folders else []]
        found[os.fsdecode(path)] = (content[24:56], *listed, seen, json.loads(prints), os.fsdecode(path), content[:whole])
        content = content[whole:]
    return found


def digest(found: dict[str, Row], path: str) -> bytes:
    """Made again from what is in a record and below it."""
    if path not in found:
        return bytes(32)
    _, _, folders, _, _, _, raw = found[path]
    _, before, names, inner, seen, prints = struct.unpack(">6I", raw[:24])
    start = 56 + before
    block, third = raw[start : start + names + inner], raw[start + names + inner + seen :]
    below = b"".join(digest(found, f"{path}/{os.fsdecode(name)}") for name in folders)
    return hashlib.sha256(struct.pack(">3I", names, inner, prints) + block + third + below).digest()


@pytest.fixture
def told() -> tuple[dict[str, Row], dict[str, JSON], dict[str, JSON]]:
    with quick_folder() as root:
        (root / "srv/folder-b").mkdir(parents=True)
        (root / "srv/folder/inner").mkdir(parents=True)
        (root / "srv/folder/inner/page").write_text("page")
        (root / "srv/folder/two\nlines").symlink_to("nowhere")
        (root / "srv/folder/inner/page").chmod(0o644)
        answer = Engine(root, time=4_000_000_000.0).apply(wish("directory", path="/srv"))
        first, _, rest = (root / MEMORY / "baseline").read_bytes().partition(b"\n")
        return records(rest), json.loads(first), answer


def test_a_baseline_is_as_the_page_says(told: tuple[dict[str, Row], dict[str, JSON], dict[str, JSON]]) -> None:
    found, first, _ = told

    assert list(found) == ["/srv", "/srv/folder", "/srv/folder/inner", "/srv/folder-b"]
    assert first == {"format": 2, "folders": ["/srv"], "rests": {}}
    assert set(first) == set(re.findall(r'"(\w+)":', PAGE.split("```json\n")[1].split("\n")[0]))
    _, names, folders, seen, prints, _, _ = found["/srv/folder"]
    assert (names, folders, len(seen), len(prints)) == ([b"two\nlines"], [b"inner"], 2 * 60, 2)
    assert [row[0] for row in prints] == ["directory", "link"]
    assert prints[1][7] == "nowhere"
    assert len(prints[0]) == 11
    assert re.findall(r"^\| ([\d, to]+) \|", PAGE.split("is a list:")[1], re.MULTILINE) == ["0", "1 to 4", "5, 6", "7", "8", "9", "10"]
    assert found["/srv/folder/inner"][4][1][7] == "sha256:" + hashlib.sha256(b"page").hexdigest()


def test_its_digests_and_seals_are_as_the_page_says(told: tuple[dict[str, Row], dict[str, JSON], dict[str, JSON]]) -> None:
    found, _, answer = told

    assert {path: row[0] for path, row in found.items()} == {path: digest(found, path) for path in found}
    assert answer["baseline"] == digest_of({"/srv": found["/srv"][0].hex()})
    whole = b"".join(row[6] for row in found.values())
    assert answer["seals"] == {"/srv": "sha256:" + hashlib.sha256(whole).hexdigest()}
    copies = answer["copies"]
    assert isinstance(copies, dict)
    step = copies["/srv"]
    assert isinstance(step, dict)
    assert zlib.decompress(base64.b64decode(str(step["records"]))) == whole
    assert (step["base"], step["gone"]) == ("", [])
