"""A `vitrify.py` makes the very model that a `vitrify.yaml` makes, and what is wrong with it is told in the same way."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from tests.trial import Project

from vitrify.core.declaration import Declaration, Server
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location

YAML = """\
version: 1
project: shop
vars: {workers: 4, who: all}
environments:
  prod: {vars: {workers: 16}}
groups:
  eu: {hosts: ["root:./a", {at: "root:./b", vars: {who: b}}], vars: {workers: 8}}
profiles:
  welcome:
    parameters: {text: {type: text, default: hello}, loud: {type: boolean, default: false}}
    resources:
      - file: {path: /etc/motd, content: "${param.text}", mode: "0644"}
      - file: {path: /etc/loud, when: "${param.loud}"}
routers:
  edge: {kind: caddy, listen: "127.0.0.1:8080"}
secrets:
  token: {env: TOKEN}
servers:
  web:
    lifecycle: mutable
    hosts: [local, eu]
    vars: {greeting: hi}
    resources:
      - directory: [/etc, /srv]
      - directory: /opt
      - use: {profile: welcome, with: {text: "${var.greeting} ${var.who}"}}
      - tree: {from: ./app, to: /srv/app}
      - file: {path: /srv/0, content: "0", tags: [numbered]}
      - file: {path: /srv/1, content: "1", tags: [numbered]}
      - file: {path: /srv/token, content: secret:token, after: [directory:/srv], on_leave: keep}
      - process: {name: web, command: [/usr/bin/python3, "${instance.port}"], port: 8000, env: {WORKERS: "${var.workers}"}}
    base: host
    replicas: 2
    writable: [/var/cache/app]
    health: {http: /healthz, interval: 500ms}
    route: {router: edge, host: shop.example}
    rollout: {drain: 30s, retain: 3}
"""
PYTHON = """\
from pathlib import Path

from vitrify.declare import directory, file, param, process, profile, project, secret, server, tree, use, var

LIMITS = dict(drain="30s", retain=3)

welcome = profile(
    parameters={"text": {"type": "text", "default": "hello"}, "loud": {"type": "boolean", "default": False}},
    resources=[
        file("/etc/motd", content=param("text"), mode="0644"),
        file("/etc/loud", when=param("loud")),
    ],
)

web = server(
    lifecycle="mutable",
    hosts=["local", "eu"],
    vars={"greeting": "hi"},
    resources=[
        directory(["/etc", "/srv"]),
        directory(Path("/opt")),
        use("welcome", with_={"text": "${var.greeting} " + var("who")}),
        tree(from_="./app", to="/srv/app"),
        *[file(f"/srv/{number}", content=str(number), tags=["numbered"]) for number in range(2)],
        file(path="/srv/token", content=secret("token"), after=["directory:/srv"], on_leave="keep"),
        process(name="web", command=("/usr/bin/python3", "${instance.port}"), port=8000, env={"WORKERS": var("workers")}),
    ],
    base="host",
    replicas=2,
    writable=["/var/cache/app"],
    health={"http": "/healthz", "interval": "500ms"},
    route={"router": "edge", "host": "shop.example"},
    rollout=LIMITS,
)

shop = project(
    "shop",
    vars={"workers": 4, "who": "all"},
    environments={"prod": {"vars": {"workers": 16}}},
    groups={"eu": {"hosts": ["root:./a", {"at": "root:./b", "vars": {"who": "b"}}], "vars": {"workers": 8}}},
    profiles={"welcome": welcome},
    routers={"edge": {"kind": "caddy", "listen": "127.0.0.1:8080"}},
    secrets={"token": {"env": "TOKEN"}},
    servers={"web": web},
)
"""
ENVIRON = {"TOKEN": "canary"}
NOWHERE = Location("", 0, 0)


def python(project: Project, text: str, *, environment: str = "") -> Declaration:
    """The declaration that this program makes."""
    project.file("vitrify.py", text)
    return project.reload(environ=ENVIRON, environment=environment)


def problems(project: Project, text: str) -> list[tuple[str, str]]:
    """Everything wrong with this program: `line:column summary`, and why and hint."""
    with pytest.raises(DeclarationInvalid) as error:
        python(project, text)
    return [_told(one, project) for one in error.value.diagnostics]


def _told(one: Diagnostic, project: Project) -> tuple[str, str]:
    assert one.where
    name = one.where.file.removeprefix(f"{project.folder}/").replace("vitrify.py", "")
    return f"{name}{':' if name else ''}{one.where.line}:{one.where.column} {one.summary}", f"{one.why} {one.hint}"


def only_web(*lines: str) -> str:
    body = "\n".join(lines)
    head = "from vitrify.declare import *\nfrom vitrify.declare import file, directory, process\n"
    return f"{head}shop = project('shop', servers={{'web': server(\n lifecycle='mutable', hosts=['local'],\n resources=[\n{body}\n])}})\n"


def placeless(server: Server) -> Server:
    return replace(server, where=NOWHERE)


@pytest.mark.parametrize("environment", ["", "prod"])
def test_both_front_ends_make_the_same_model_with_the_same_digest(project: Project, environment: str) -> None:
    project.file("app/app.py", "print()")
    one = project.load(YAML, environ=ENVIRON, environment=environment)
    (project.folder / "vitrify.yaml").unlink()

    other = python(project, PYTHON, environment=environment)

    assert [server.digest for server in one.servers] == [server.digest for server in other.servers]
    assert list(map(placeless, one.servers)) == list(map(placeless, other.servers))
    assert (one.project, one.folder, one.routers, one.groups) == (other.project, other.folder, other.routers, other.groups)


def test_two_declarations_in_one_folder_are_an_error(project: Project) -> None:
    project.file("vitrify.py", PYTHON)

    (found,) = project.problems(YAML)

    assert "there is a vitrify.yaml beside it" in found.summary
    assert found.where
    assert found.where.file.endswith("vitrify.py")


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("file('/etc/motd', mode=420)", "6:24 a mode is text, not the number 420", '"0644"'),
        ("file('/etc/motd', contnt='x')", "6:19 there is no field `contnt`", "did you mean `content`?"),
        ("file(content='x')", "6:1 the field `path` is missing", ""),
        ("file('etc')", "6:6 'etc' is not an absolute path", ""),
        ("process(name='web', command=['/x', 5])", "6:36 expected text, not a number", ""),
        ("process(name='web', command='x | y')", "6:29 expected a list, not text", "there is no shell"),
        ("process(name='web', command=['/x'], env={'A': 'b', 'C': None})", "6:57 expected text, not nothing", ""),
        ("file('/ä', content='ä', mode=var('m'))", "6:30 there is no variable `m`", ""),
        ("file('/x', content='${var.m}')", "6:20 there is no variable `m`", ""),
        ("file('/x', content=1.5)", "6:20 1.5 is a number with a fraction", 'put it in quotes: "1.5"'),
        ("file('/x', after={'a'})", "6:18 a value of type `set` means nothing in a declaration", "vitrify.declare"),
        ("file('/x', after=['file:/y'])", "6:19 there is no resource `file:/y`", ""),
        ("use('hardend')", "6:5 there is no profile `hardend`", ""),
        ("[file('/x')]", "6:1 expected a resource, not a list", ""),
        ("'file'", "6:1 expected a resource, not text", ""),
        ("file('/x', content='a\\udcff')", "6:20 this cannot be written as UTF-8", ""),
        ("process(name='web', command=['/x'], port=10**20)", "6:42 this number is too large", ""),
        ("process(name='web', command=['/x'], env={5: 'x'})", "6:42 a key is text", ""),
    ],
)
def test_a_wrong_value_is_told_at_its_argument(project: Project, line: str, expected: str, rest: str) -> None:
    found = dict(problems(project, only_web(line)))

    assert expected in found
    assert rest in found[expected]


def test_a_value_that_is_computed_is_told_at_the_nearest_thing_that_is_written(project: Project) -> None:
    found = problems(project, only_web("*[file(name, mode=mode) for name, mode in [('/a', '0644'), ('/b', 'rw')]],"))

    assert [one for one, _ in found] == ["6:19 'rw' is not a mode"]


def test_keys_of_servers_and_of_the_whole_are_told_where_they_are_written(project: Project) -> None:
    text = (
        "from vitrify.declare import project, server\n"
        "MORE = {'replcas': 2}\n"
        "shop = project('shop',\n"
        "  vers={},\n"
        "  servers={'web': server(lifecycle='mutabl', hosts=[], resources=[], **MORE)})\n"
    )

    found = problems(project, text)

    assert [one for one, _ in found] == [
        "4:3 there is no key `vers`",
        "5:19 there is no key `replcas`",
        "5:36 `mutabl` is not one of mutable, immutable",
        "5:52 nothing is written here",
    ]


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        ("x = 1 / 0\n", "1:5 the declaration failed with ZeroDivisionError", "division by zero"),
        ("def f():\n    raise ValueError('no')\n\nf()\n", "2:5 the declaration failed with ValueError", "no"),
        ("import sys\nsys.exit(3)\n", "2:1 the declaration ends the program", ""),
        ("x = (\n", "1:5 this is not Python", "never closed"),
        ("x = '\0'\n", "1:1 this is not Python", "null bytes"),
        ("x = 1\n", "1:1 this makes no project", "as in"),
        ("from vitrify.declare import project\na, b = project('a'), project('b')\n", "2:1 this makes more than one project", ""),
        (
            "from vitrify.declare import (\n  fil,\n  servr)\n",
            "2:3 there is nothing called `fil`",
            "did you mean `file`?",
        ),
        (
            "from vitrify.declare import file\nfile('/x', '0644')\n",
            "2:1 the declaration failed with TypeError",
            "takes `path` without a name",
        ),
        ("from vitrify.declare import process\nprocess('web')\n", "2:1 the declaration failed with TypeError", "process() takes nothing"),
        ("from vitrify.declare import file\nfile('/x', path='/y')\n", "2:1 the declaration failed with TypeError", "two values for `path`"),
        ("import neighbour\n", "neighbour.py:2:9 the declaration failed with KeyError", "lost"),
        ("import broken\n", "broken.py:1:5 this is not Python", ""),
    ],
)
def test_a_program_that_fails_is_told_with_its_line_and_without_a_traceback(project: Project, text: str, expected: str, rest: str) -> None:
    project.file("neighbour.py", "x = {}\ny = 1 + x['lost']\n")
    project.file("broken.py", "x = (\n")

    found = dict(problems(project, text))

    (key,) = [one for one in found if one.startswith(expected)]
    assert rest in found[key]


def test_it_may_import_its_neighbours_and_leaves_no_trace_of_them(project: Project) -> None:
    project.file("parts/base.py", "from vitrify.declare import directory\n\nBASE = [directory('/srv')]\n")
    text = only_web("*base.BASE").replace("shop =", "from parts import base\nshop =")
    path, modules = list(sys.path), set(sys.modules)

    first = python(project, text).servers[0]
    project.file("parts/base.py", "from vitrify.declare import directory\n\nBASE = [directory('/opt')]\n")
    again = python(project, text).servers[0]

    assert [str(server.resources[0].address) for server in (first, again)] == ["directory:/srv", "directory:/opt"]
    assert first.resources[0].where == Location(str(project.folder / "parts" / "base.py"), 3, 9)
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if name.startswith(("parts", "__vitrify__"))}
    assert not list(project.folder.rglob("__pycache__"))


def test_what_it_prints_does_not_mix_with_data(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    python(project, "print('hello')\n" + only_web("directory('/x')"))

    assert capsys.readouterr() == ("", "hello\n")


def test_no_kind_is_called_like_a_word_of_the_front_end() -> None:
    from vitrify.project.pieces import OFFERED
    from vitrify.resources.registry import all_kinds

    assert not set(OFFERED) & set(all_kinds().names())


def test_everything_that_is_offered_can_be_imported() -> None:
    import vitrify.declare
    from vitrify.project.pieces import OFFERED

    assert {*OFFERED, "file", "process"} <= set(dir(vitrify.declare))
    assert all(getattr(vitrify.declare, name) for name in dir(vitrify.declare))
    with pytest.raises(AttributeError):
        vitrify.declare.nothing  # type: ignore[attr-defined]  # noqa: B018  asking is the act
