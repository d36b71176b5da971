"""Whatever is done to a good declaration, loading ends in a declaration or in problems with a true place in the file."""

from __future__ import annotations

import copy
import io
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.amount import amount

from vitrify.cli.exits import Exit
from vitrify.cli.facade import open_app
from vitrify.cli.invocation import Surroundings
from vitrify.cli.main import run
from vitrify.cli.render import Streams
from vitrify.core.declaration import Declaration
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic
from vitrify.project.load import Inputs, read
from vitrify.resources.registry import all_kinds

N = amount("declarations", daily=2000)
CHUNKS = 8

SHOP = """\
version: 1
project: shop
vars: {workers: 4, name: &name shop, hot: true}
secrets: {db: {env: DB}, old: {age: {file: t/old.age, identity: secret:db}}, older: {ansible_vault: {file: t/v, password: secret:db}}}
environments: {prod: {vars: {workers: 16}}}
groups:
  eu: {hosts: ["root:./eu1", {at: "root:./eu2", vars: {workers: 2}}], vars: {hot: false}}
  all_of_them: {hosts: [eu]}
profiles:
  hardened:
    parameters: {port: {type: integer, default: 22, choices: [22, 2222]}, text: {type: text}, owner: {type: text, required: false}}
    resources:
      - directory: [/etc, /etc/ssh]
      - file: {path: /etc/motd, content: "${param.text} ${param.port}\\n", mode: "0644", owner: "${param.owner}"}
routers:
  edge: {kind: caddy, listen: ":8080", tls: off}
servers:
  db:
    lifecycle: mutable
    hosts: [local, all_of_them, {at: "root:./machine", vars: {workers: 8}}]
    health: {tcp: 5432}
    resources:
      - use: {profile: hardened, with: {text: database}}
      - file: {path: /etc/db.conf, template: t/db.j2, vars: {workers: "${var.workers}", key: secret:db}, owner: root}
      - line: {path: /etc/hosts, match: "db$", line: 127.0.0.1 db, create: true}
      - command: {name: index, run: [/bin/true, -x], creates: /var/index, after: [file:/etc/db.conf]}
  web:
    lifecycle: immutable
    hosts: [local]
    base: host
    runtime: bubblewrap
    replicas: 2
    writable: [/var/cache/app]
    health: {http: /healthz, interval: 200ms, passes: 2}
    route: {router: edge, host: shop.example}
    rollout: {strategy: blue-green, drain: 30s, probation: 60s, keep_warm: 10m, retain: 5}
    resources:
      - use: {profile: hardened, with: {port: 2222, text: *name}}
      - tree: {from: app, to: /srv/app}
      - link: {path: /srv/current, to: app, when: "${var.hot}", tags: [a]}
      - process: {name: web, command: [/usr/bin/python3, "--port=${instance.port}"], workdir: /srv/app, port: 8000, env: {DB: secret:db}}
"""
SMALL = """\
version: 1
project: shop
servers:
  web:
    lifecycle: mutable
    hosts: [local]
    replicas: 2
    resources:
      - file:
          path: /etc/motd
          content: |
            several
            lines
          mode: "0644"
          on_leave: keep
      - process: {name: web, command: [/bin/x], env: {A: b}}
"""
STARTER = Path(__file__).parents[2] / "src" / "vitrify" / "project" / "starter" / "files" / "vitrify.yaml"
GOOD = (SHOP, SMALL, STARTER.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("mutants")
    for name, text in (("t/db.j2", "{{ workers }} {{ key }}\n"), ("app/app.py", "pass\n"), ("templates/motd.j2", "{{ text }}\n")):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(text)
    return top


def loaded(folder: Path, content: bytes) -> Declaration:
    return read(content, folder / "vitrify.yaml", Inputs({"DB": "s3cret"}, {}, all_kinds(), bytes(32)))


def problems(folder: Path, content: bytes) -> tuple[Diagnostic, ...]:
    try:
        loaded(folder, content)
    except DeclarationInvalid as invalid:
        return invalid.diagnostics
    return ()


@pytest.mark.parametrize("text", GOOD)
def test_every_declaration_to_be_mutated_is_good(folder: Path, text: str) -> None:
    assert loaded(folder, text.encode()).servers


# -- any mutation ------------------------------------------------------------------------------------------------

HOSTILE = (
    *"\t\0[{}]\"'#%@`\n\r~=", "&a ", "*a", "- ", ": ", "!!x ", "!!int ", "? ", "| ", "---\n", "...\n", "<<: *a", "<<",
    "${var.workers", "${", "$${", "{{ x }}", "secret:db", "secret:x", "9" * 5000, "0x" + "f" * 40, "1.5", "-1", "1e999999", ".nan",
    "null", "true", "2024-01-01", "\u2028", "\ufeff", "\x85", "ä", "\U0001f600", "[" * 150, "{a: " * 150, "root:", "/..", "x" * 3000,
)  # fmt: skip
Change = Callable[[str, random.Random], str | bytes]


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    hostile: str = chance.choice(HOSTILE)
    return text[:at] + hostile + text[at:]


def _cut(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + text[at + chance.choice((1, 1, 2, 5, 20)) :]


def _lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    moved = {
        "double": [*lines[: at + 1], *lines[at:]],
        "drop": [*lines[:at], *lines[at + 1 :]],
        "indent": [*lines[:at], chance.choice(("  ", " ", "\t")) + lines[at], *lines[at + 1 :]],
        "dedent": [*lines[:at], lines[at].removeprefix("  "), *lines[at + 1 :]],
        "swap": [lines[other if n == at else at if n == other else n] for n in range(len(lines))],
        "end": lines[:at],
    }
    return "".join(moved[chance.choice(sorted(moved))])


def _bytes(text: str, chance: random.Random) -> bytes:
    content = bytearray(text.encode())
    content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _swap_words(text: str, chance: random.Random) -> str:
    words = list(re.finditer(r"[\w./${}:-]+", text))
    one, other = chance.choice(words), chance.choice(words)
    return text[: one.start()] + other.group() + text[one.end() :]


WRONG: Sequence[object] = (
    None,
    True,
    0,
    -1,
    10**30,
    "",
    "x",
    "${var.none}",
    "secret:db",
    [],
    {},
    ["x"],
    [[]],
    {"x": 1},
    [None],
    {"use": "x"},
)


def _structure(text: str, chance: random.Random) -> str:
    data = yaml.safe_load(text)
    owner, key = chance.choice(list(_places(data)))
    if chance.random() < 0.3:
        del owner[key]
    elif chance.random() < 0.3 and isinstance(owner, dict):
        owner[chance.choice((f"{key}x", str(key)[1:], chance.choice(list(_places(data)))[1]))] = owner.pop(key)
    else:
        owner[key] = copy.deepcopy(data) if chance.random() < 0.05 else chance.choice(WRONG)
    return str(yaml.safe_dump(data, sort_keys=chance.random() < 0.5, default_flow_style=chance.choice((True, False, None))))


def _places(data: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  what YAML holds can be anything
    """Every map or list with each key or index in it."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield data, key
            yield from _places(value)


CHANGES: tuple[Change, ...] = (_insert, _insert, _cut, _lines, _bytes, _swap_words, _structure, _structure)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_mutated_declaration_loads_or_is_told_what_is_wrong_and_where(folder: Path, chunk: int) -> None:
    chance = random.Random(random.getrandbits(64) ^ chunk)  # noqa: S311  cases to try, not secrets
    for _ in range(N // 2 // CHUNKS):
        text = chance.choice(GOOD)
        if chance.random() < 0.2:
            text = _structure(text, chance)
        content = chance.choice(CHANGES)(text, chance)
        content = content if isinstance(content, bytes) else content.encode()

        found = problems(folder, content)

        assert not [problem for problem in found if not _within(problem, folder, content)], f"not places in {content!r}"
        assert "s3cret" not in str(found)


def _within(problem: Diagnostic, folder: Path, content: bytes) -> bool:
    lines = re.split("\r\n|\r|\n", content.decode("utf-8-sig", "replace"))
    at = problem.where
    if at is None or not problem.summary or at.file != str(folder / "vitrify.yaml"):
        return False
    return 1 <= at.line <= len(lines) and 1 <= at.column <= len(lines[at.line - 1]) + 1


# -- planted mistakes --------------------------------------------------------------------------------------------
VERBS = ("plan", "apply", "audit", "status")
"""Those that begin with the declaration."""
FREE = {"vars", "environments", "groups", "routers", "servers", "profiles", "secrets", "parameters", "env"}
"""Maps whose keys are names that a person chooses."""
OPEN = FREE | {"use", "hosts", "with", "default", "choices"}
"""Keys below which a map can be right, or is read as something else."""
Planted = tuple[str, tuple[int, int]]


@cache
def _composed(text: str) -> tuple[tuple[tuple[str, ...], yaml.Node, yaml.Node], ...]:
    """Path, key and value of every entry, with the places that PyYAML's own composer, in Python, found."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root
    return tuple(_entries(root, ()))


def _entries(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key, value
            yield from _entries(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _entries(item, path)


def _replaced(text: str, node: yaml.Node, new: str) -> Planted:
    begin, end = node.start_mark, node.end_mark
    return text[: begin.index] + new + text[end.index :], (begin.line + 1, begin.column + 1)


def _misspelt(text: str, chance: random.Random) -> Planted:
    found = [key for path, key, _ in _composed(text) if not (len(path) > 1 and path[-2] in FREE)]
    key = chance.choice(found)
    at = chance.randrange(1, len(key.value))
    word = key.value[:at] + chance.choice("z9") + key.value[at + chance.randrange(2) :]  # no key has either of them
    return _replaced(text, key, word)


def _wrong_type(text: str, chance: random.Random) -> Planted:
    scalars = [
        value
        for path, _, value in _composed(text)
        if isinstance(value, yaml.ScalarNode) and value.style != "|" and not OPEN & set(path[:-1]) and path[-1] not in OPEN
    ]
    return _replaced(text, chance.choice(scalars), "{zz: 1}")


def _doubled(text: str, chance: random.Random) -> Planted:
    _, key, _ = chance.choice([entry for entry in _composed(text) if entry[0][-1] != "servers"])
    mark = key.start_mark
    before, line_start = text[: mark.index], text.rfind("\n", 0, mark.index) + 1
    indent = text[line_start : mark.index]
    if "{" in indent:
        return f"{before}{key.value}: 0, {text[mark.index :]}", (mark.line + 1, mark.column + 1 + len(f"{key.value}: 0, "))
    below = indent.replace("- ", "  ")
    return f"{before}{key.value}: 0\n{below}{text[mark.index :]}", (mark.line + 2, mark.column + 1)


REQUIRED = (
    ("    lifecycle: mutable\n", "  web:", 2),
    ("    hosts: [local]\n", "  web:", 2),
    ("          path: /etc/motd\n", "- file:", 2),
    ("name: web, ", "- process:", 2),
    ("command: [/bin/x], ", "- process:", 2),
    ("project: shop\n", "version: 1", 0),
)


def _removed(text: str, chance: random.Random) -> Planted:
    cut, owner, offset = chance.choice(REQUIRED)
    text = text.replace(cut, "", 1)
    at = text.index(owner) + offset
    return text, (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


@pytest.mark.parametrize("plant", [_misspelt, _wrong_type, _doubled, _removed])
@pytest.mark.parametrize("half", range(2))
def test_a_planted_mistake_is_told_at_its_true_line_and_column(
    folder: Path, plant: Callable[[str, random.Random], Planted], half: int
) -> None:
    chance = random.Random(random.getrandbits(64) ^ half)  # noqa: S311  cases to try, not secrets
    for _ in range(N // 2 // 8):
        text = SMALL if plant is _removed else chance.choice((SMALL, SHOP))
        head = "".join(chance.choice(("# a line above\n", "\n", "# größer, 😀\n")) for _ in range(chance.randrange(4)))
        mistaken, (line, column) = plant(text, chance)

        told = [(problem.where.line, problem.where.column) for problem in problems(folder, (head + mistaken).encode()) if problem.where]

        assert (line + head.count("\n"), column) in told, f"{told} for {head}{mistaken}"


# -- by the command line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", [_misspelt, _wrong_type, _doubled, _removed])
def test_the_command_line_tells_a_planted_mistake_at_its_place_and_ends_with_65(
    folder: Path, tmp_path: Path, plant: Callable[[str, random.Random], Planted]
) -> None:
    chance = random.Random(random.getrandbits(64))  # noqa: S311  cases to try, not secrets
    project = shutil.copytree(folder, tmp_path / "project")
    environ = {"DB": "s3cret", "VITRIFY_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    for _ in range(N // 4 // 4):
        mistaken, (line, column) = plant(SMALL if plant is _removed else chance.choice((SMALL, SHOP)), chance)
        (project / "vitrify.yaml").write_text(mistaken)
        screen = io.StringIO()

        code = run(
            ["-C", str(project), chance.choice(VERBS)],
            Surroundings(Streams(io.StringIO(), screen, screen), environ, lambda: 0.0, open_app),
        )

        told = screen.getvalue()
        assert code is Exit.DECLARATION, f"{told} for {mistaken}"
        assert f"vitrify.yaml:{line}:{column}: error:" in told, f"{told} for {mistaken}"
        assert not [word for word in ("Traceback", "unexpectedly", "s3cret") if word in told]
        assert {path.name for path in project.iterdir()} <= {path.name for path in folder.iterdir()} | {"vitrify.yaml", "vitrify.keys"}
