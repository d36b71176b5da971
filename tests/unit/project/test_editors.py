"""The JSON Schema accepts what is right and refuses what is wrong, as far as a schema can tell."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types
from tests.trial import Project

from vitrify.project.editors import schema
from vitrify.resources.registry import all_kinds

SCHEMA = schema(all_kinds())
CHECK = Draft202012Validator(SCHEMA)
SERVER = "version: 1\nproject: shop\nservers:\n  web:\n    lifecycle: mutable\n    hosts: [local]\n"


def wrong(text: str) -> list[str]:
    """Where the schema refuses a declaration."""
    return ["/".join(str(step) for step in error.absolute_path) for error in CHECK.iter_errors(yaml.safe_load(text))]


def server(line: str) -> str:
    return f"{SERVER}    resources:\n      - {line}\n"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "line",
    [
        "file: /etc/motd",
        "file: {path: /etc/motd, content: x, mode: '0644', after: file:/x, tags: [a], when: '${var.x}'}",
        "directory: [/a, /b]",
        "directory: {path: '${var.x}/y', mode: '${var.m}'}",
        "use: hardened",
        "use: {profile: hardened, with: {port: 22}}",
        "process: {name: web, absent: true}",
        "process: {name: web, command: [/x], port: '${param.port}', env: '${var.env}'}",
    ],
)
def test_what_the_loader_accepts_it_accepts(line: str) -> None:
    assert wrong(server(line)) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (server("fiel: /etc/motd"), "servers/web/resources/0"),
        (server("file: {path: etc/motd}"), "servers/web/resources/0/file"),
        (server("file: {path: /x, mode: 420}"), "servers/web/resources/0/file"),
        (server("file: {path: /x, content: a, source: b}"), "servers/web/resources/0/file"),
        (server("file: {content: a}"), "servers/web/resources/0/file"),
        (server("file: {path: /x, on_leave: forget}"), "servers/web/resources/0/file"),
        (server("process: {name: web}"), "servers/web/resources/0/process"),
        (server("use: {with: {}}"), "servers/web/resources/0/use"),
        (server("file: {path: /x}\n        link: {path: /y}"), "servers/web/resources/0"),
        (SERVER + "    resources: []\n    replicas: many\n", "servers/web/replicas"),
        (SERVER + "    resources: []\n    replicas: 0\n", "servers/web/replicas"),
        (SERVER + "    resources: []\n    lifecycel: x\n", "servers/web"),
        (SERVER + "    resources: []\n    max_fail: half\n", "servers/web/max_fail"),
        (SERVER + "    resources: []\nssh: {confg: x}\n", "ssh"),
        (SERVER + "    resources: []\n    rollout: {drain: 30}\n", "servers/web/rollout"),
        (SERVER + "    resources: []\n    health: {http: /, tcp: 5}\n", "servers/web/health"),
        (SERVER + "    resources: []\n    health: {status: 200}\n", "servers/web/health"),
        (SERVER + "    resources: []\nsecrets: {a: {env: A, file: b}}\n", "secrets/a"),
        (SERVER + "    resources: []\nsecrets: {a: {age: {file: b}}}\n", "secrets/a/age"),
        (SERVER + "    resources: []\ngroups: {a: {vars: {}}}\n", "groups/a"),
        (SERVER + "    resources: []\nprofiles: {a: {parameters: {b: {type: number}}, resources: []}}\n", "profiles/a/parameters/b/type"),
        ("version: 2\nproject: shop\nservers: {}\n", "version"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(text: str, place: str) -> None:
    assert place in wrong(text)


def test_it_knows_every_kind_and_every_field_that_can_be_declared() -> None:
    definitions: Any = SCHEMA["$defs"]

    for name in all_kinds().names():
        declared = {field for field, known in all_kinds()[name].schema.fields.items() if not known.resolved}
        assert declared <= set(definitions[f"kind-{name}"]["properties"])


def test_a_choice_in_the_envelope_still_tells_what_was_meant(project: Project) -> None:
    text = project.server("- directory: /x").replace("lifecycle: mutable", "lifecycle: mutabel")

    assert project.problem(text) == ("6:16 `mutabel` is not one of mutable, immutable", " | did you mean `mutable`?")
