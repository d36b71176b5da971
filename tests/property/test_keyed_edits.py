"""Whatever a file holds and whatever is wished for: a stranger's reader finds the wish, and nothing else has changed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.amount import amount

from vitrify.core.digest import JSON
from vitrify.core.keyed import Keyed
from vitrify.core.resource import Address, Resource
from vitrify.core.tomltext import name_of, written
from vitrify.resources.json import Json
from vitrify.resources.toml import Toml
from vitrify.resources.yaml import Yaml

Document = dict[str, Any]

NAMES = st.text(st.sampled_from("ab.- #:'\"é1_"), min_size=1, max_size=4) | st.sampled_from(["yes", "null", "1", "-", "a b"])
TEXTS = st.text(st.sampled_from("ab: #'\"-\\\n\té01{}[]&*!|>%@`,?~=.<"), max_size=6) | st.sampled_from(
    ["yes", "012", "1_0", "1:30", "~", "2020-01-01"]
)
SCALARS: st.SearchStrategy[Any] = st.booleans() | st.integers(-(2**40), 2**40) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)
DOCUMENTS = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=3), lambda inner: st.dictionaries(NAMES, inner | VALUES, min_size=1, max_size=3), max_leaves=4
)


def in_json(document: Document, indent: int | None) -> str:
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


def in_yaml(document: Document, indent: int | None) -> str:
    text = yaml.safe_dump(document, default_flow_style=False, allow_unicode=True, sort_keys=False, indent=indent or 2, width=10_000)
    return f"# first\n{text}# last\n" if document else "# first\n# last\n"


def in_toml(document: Document, _indent: int | None) -> str:
    return "# first\n" + "".join(_tables(document, ()))


def _tables(document: Document, way: tuple[str, ...]) -> list[str]:
    plain = [f"{name_of(name)} = {written(value)} # noted\n" for name, value in document.items() if not _table(value)]
    header = [f"[{'.'.join(map(name_of, way))}]\n"] if way else []
    inner = [line for name, value in document.items() if _table(value) for line in _tables(value, (*way, name))]
    return [*header, *plain, *inner]


def _table(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


FORMATS: Mapping[str, tuple[Keyed, Callable[[Document, int | None], str], Callable[[str], Any]]] = {
    "json": (Json(), in_json, json.loads),
    "yaml": (Yaml(), in_yaml, lambda text: yaml.safe_load(text) or {}),
    "toml": (Toml(), in_toml, tomllib.loads),
}


def wish(kind: Keyed, steps: Sequence[str], value: JSON, *, absent: bool = False) -> Resource:
    fields: dict[str, JSON] = {"path": "/x", "key": list(steps), "value": value}
    return Resource(Address(kind.name, "x"), fields, absent=absent)


def nothing(digest: str) -> bytes:
    raise KeyError(digest)


def put(document: Document, steps: Sequence[str], value: JSON) -> Document:
    """The same with the value in it; a copy."""
    copy: Document = json.loads(json.dumps(document))
    here = copy
    for step in steps[:-1]:
        here = here.setdefault(step, {})
    here[steps[-1]] = value
    return copy


def leads_somewhere(document: object, steps: Sequence[str]) -> bool:
    """Whether the way is through maps alone, none of them empty."""
    for step in steps[:-1]:
        if not isinstance(document, dict):
            return False
        if step not in document:
            return True
        document = document[step]
        if not _table(document):
            return False
    return isinstance(document, dict)


@pytest.mark.parametrize("name", sorted(FORMATS))
@settings(max_examples=amount("keyed_edits", daily=200), deadline=None)
@given(document=DOCUMENTS, steps=st.lists(NAMES, min_size=1, max_size=3), value=VALUES, indent=st.sampled_from([None, 2, 4]))
def test_a_key_is_put_in_and_taken_out_and_nothing_else_changes(
    name: str, document: Document, steps: list[str], value: JSON, indent: int | None
) -> None:
    kind, write, read = FORMATS[name]
    if not leads_somewhere(document, steps):
        return
    before = write(document, indent)
    at: Any = document
    for step in steps:
        at = at.get(step, {}) if isinstance(at, dict) else {}
    if name == "toml" and _table(at):  # a whole table is no value there
        return

    after = kind.edited(before.encode(), wish(kind, steps, value), nothing).decode()

    assert read(after) == put(document, steps, value)
    assert kind.edited(after.encode(), wish(kind, steps, value), nothing).decode() == after
    assert [line for line in before.split("\n") if line.startswith("#")] == [line for line in after.split("\n") if line.startswith("#")]
    if name == "toml" or steps[0] in document:
        return
    assert read(kind.edited(after.encode(), wish(kind, steps[:1], None, absent=True), nothing).decode()) == document
