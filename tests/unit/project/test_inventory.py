"""What other tools know about hosts becomes groups of a declaration; what has no place there is told, never dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.trial import Project

from vitrify.core.diagnostic import DeclarationInvalid, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.report import Imported
from vitrify.project.inventory.bring_in import bring_in
from vitrify.project.inventory.ranges import spelt_out
from vitrify.project.node import plain
from vitrify.project.problems import Problems
from vitrify.project.yaml import parse

ENVIRON = {"PATH": "/usr/bin:/bin"}

INI = """\
# a comment
lonely
web[01:03].example http_port=80 ; another

[web]
web[01:02].example http_port=8080 weight=0.5 label="two words" tags="['a', 'b']" debug=True
extra:2222

[db]
db1 ansible_host=10.0.0.5 ansible_user=root role=primary # the first
db2 ansible_host=fe80::5 ansible_port=23
desk ansible_connection=local
box ansible_connection=docker

[my.group]
db2

[shop:children]
web
db
my.group

[shop:vars]
ansible_user=deploy
ansible_become=true
greeting=hello
path=${HOME}/x
made={{ greeting }} you

[all:vars]
domain = example.org
nothing=None

[web:odd]
x
"""

NESTED = """\
all:
  vars: {domain: example.org}
  children:
    shop:
      vars:
        on_call: yes
        ratio: 1.5
        secret: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          6162
      children:
        web:
          hosts:
            web[1:2].example: {ansible_port: 2200}
            old: null
        db:
          hosts:
            db1: {ansible_host: 10.0.0.5, disks: [{name: sda, size: 10}]}
  hosts:
    alone: {}
  what: else
"""

SSH = """\
# mine
Host web1 web2
    HostName 10.0.0.1
    User deploy
Host=db
Host *.example !bad
Host odd/name
Include conf.d/*
Match user root
"""


def read(folder: Path, text: str, form: str) -> Imported:
    path = folder / "inventory"
    path.write_text(text)
    return bring_in(str(path), form, environ=ENVIRON)


def remarks(found: Imported, folder: Path) -> list[str]:
    return [remark.removeprefix(f"{folder}/inventory:") for remark in found.remarks]


def groups(found: Imported) -> dict[str, list[object]]:
    return {group.name: [*group.inner, *((at, dict(variables)) for at, variables in group.hosts)] for group in found.groups}


def test_an_inventory_in_ini_becomes_groups(tmp_path: Path) -> None:
    found = read(tmp_path, INI, "ansible-ini")

    web = {"http_port": 8080, "weight": "0.5", "label": "two words", "tags": ["a", "b"], "debug": True}
    assert groups(found) == {
        "ungrouped": [
            ("ssh://lonely", {}),
            ("ssh://web03.example", {"http_port": 80}),
        ],
        "web": [
            ("ssh://deploy@web01.example", web),
            ("ssh://deploy@web02.example", web),
            ("ssh://deploy@extra:2222", {}),
        ],
        "db": [
            ("ssh://root@10.0.0.5", {"role": "primary", "inventory_hostname": "db1"}),
            ("ssh://deploy@[fe80::5]:23", {"inventory_hostname": "db2"}),
            ("local", {"inventory_hostname": "desk"}),
        ],
        "my-group": [("ssh://deploy@[fe80::5]:23", {"inventory_hostname": "db2"})],
        "shop": ["web", "db", "my-group"],
    }
    assert found.variables == {"domain": "example.org", "nothing": None}
    assert dict(found.groups[-1].variables) == {"greeting": "hello", "made": "{{ greeting }} you"}


def test_whatever_an_ini_says_that_has_no_place_is_told_with_its_line(tmp_path: Path) -> None:
    told = remarks(read(tmp_path, INI, "ansible-ini"), tmp_path)

    assert "3: ';' is not NAME=VALUE; it is left out" in told
    assert "34: a section of 'odd' has no meaning; its lines are left out" in told
    assert any("the host box is reached by 'docker', which vitrify cannot; it is left out" in one for one in told)
    assert any("the group 'my.group' is called `my-group` here" in one for one in told)
    assert any("`ansible_become` of group shop has no place in a declaration" in one for one in told)
    assert any("`path` of group shop holds `${`" in one for one in told)
    assert any("`made` of group shop is a template to Ansible" in one for one in told)
    assert any("`weight` of host web01.example holds the number 0.5" in one for one in told)


def test_an_inventory_in_yaml_becomes_groups(tmp_path: Path) -> None:
    found = read(tmp_path, NESTED, "ansible-yaml")

    assert groups(found) == {
        "all": [("ssh://alone", {})],
        "shop": ["web", "db"],
        "web": [("ssh://web1.example:2200", {}), ("ssh://web2.example:2200", {}), ("ssh://old", {})],
        "db": [("ssh://10.0.0.5", {"disks": [{"name": "sda", "size": 10}], "inventory_hostname": "db1"})],
    }
    assert found.variables == {"domain": "example.org"}
    assert dict(found.groups[1].variables) == {"on_call": "yes", "ratio": "1.5"}
    told = remarks(found, tmp_path)
    assert "6: a bare `yes` is true or false to Ansible, and text here" in told
    assert "21: the key 'what' of a group has no meaning; it is left out" in told
    assert any("1.5 is a number with a fraction" in one for one in told)
    assert any("`secret` of group shop is closed by ansible-vault and is left out; declare a secret" in one for one in told)


def test_hosts_of_an_ssh_configuration_keep_their_names(tmp_path: Path) -> None:
    found = read(tmp_path, SSH, "ssh-config")

    assert groups(found) == {"ssh": [("ssh://web1", {}), ("ssh://web2", {}), ("ssh://db", {})]}
    told = remarks(found, tmp_path)
    assert "6: the pattern `*.example` is no host; ssh itself obeys it" in told
    assert "6: the pattern `!bad` is no host; ssh itself obeys it" in told
    assert "7: the name `odd/name` cannot stand in an address; it is left out" in told
    assert "8: `Include conf.d/*` is not followed; import that file as well" in told
    assert "9: `Match` names no host; ssh itself obeys it" in told
    assert any("ssh looks these names up in its own configuration" in one for one in told)


LIST = {"web": {"hosts": ["a"], "vars": {"x": 1}, "children": ["db"], "odd": 1}, "db": ["b"]}


@pytest.mark.parametrize("meta", [True, False])
def test_a_program_is_asked_for_its_list_and_for_each_host_where_the_list_does_not_say(tmp_path: Path, meta: bool) -> None:  # noqa: FBT001  a case
    answer = {**LIST, "_meta": {"hostvars": {"a": {"ansible_user": "me"}, "b": {"y": 2}}}} if meta else LIST
    hosts = """[ $2 = a ] && echo '{"ansible_user": "me"}' || echo '{"y": 2}'"""
    text = f"#!/bin/sh\n[ $1 = --list ] && echo '{json.dumps(answer)}' && exit\n{hosts}\n"
    (tmp_path / "inventory").write_text(text)
    (tmp_path / "inventory").chmod(0o755)

    found = bring_in(str(tmp_path / "inventory"), "script", environ=ENVIRON)

    assert groups(found) == {"web": ["db", ("ssh://me@a", {})], "db": [("ssh://b", {"y": 2})]}
    assert dict(found.groups[0].variables) == {"x": 1}
    assert remarks(found, tmp_path) == [" the key 'odd' of the group 'web' has no meaning; it is left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho no >&2; exit 3\n", "ended with 3 (no)"),
        ("#!/bin/sh\necho no\n", "printed no JSON"),
        ("#!/bin/sh\necho '[]'\n", "printed no map of groups"),
        ("no program at all", "cannot be run"),
    ],
)
def test_a_program_that_tells_no_inventory_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "inventory").write_text(text)
    (tmp_path / "inventory").chmod(0o755)

    with pytest.raises(UsageInvalid) as error:
        bring_in(str(tmp_path / "inventory"), "script", environ=ENVIRON)

    assert message in str(error.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")

    for name, form in (("none", "ansible-ini"), ("binary", "ssh-config")):
        with pytest.raises(UsageInvalid):
            bring_in(str(tmp_path / name), form, environ=ENVIRON)
    with pytest.raises(DeclarationInvalid):
        bring_in(str(tmp_path / "binary"), "ansible-yaml", environ=ENVIRON)


@pytest.mark.parametrize(("text", "form"), [(INI, "ansible-ini"), (NESTED, "ansible-yaml"), (SSH, "ssh-config")])
def test_what_is_written_reads_as_what_was_found(tmp_path: Path, text: str, form: str) -> None:
    found = read(tmp_path, text, form)
    problems = Problems()

    again = plain(parse(found.text.encode(), file="", problems=problems))

    problems.settle()
    told = found.to_json()
    assert isinstance(again, dict)
    assert isinstance(again["groups"], dict)
    assert again.get("vars", {}) == told["vars"]
    for name, group in again["groups"].items():
        assert isinstance(group, dict)
        assert isinstance(group["hosts"], list)
        spelt = [_spelt_out(host) for host in group["hosts"]]
        assert {"hosts": spelt, "vars": group.get("vars", {})} == told["groups"][name]  # type: ignore[index,call-overload]


def _spelt_out(host: JSON) -> JSON:
    """A host in its long form; the name of a group as it is."""
    return {"at": host, "vars": {}} if isinstance(host, str) and (":" in host or host == "local") else host


def test_what_is_written_is_part_of_a_declaration(project: Project) -> None:
    found = read(project.folder, "[here]\na ansible_connection=local x=1\n[both:children]\nhere\n[both:vars]\ny=two words\n", "ansible-ini")

    declaration = project.load(
        f"version: 1\nproject: shop\n{found.text}servers:\n  web: {{lifecycle: mutable, hosts: [both], resources: []}}\n"
    )

    assert declaration.groups == {"here": ("local",), "both": ("local",)}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web", ["web"]),
        ("w[1:3]", ["w1", "w2", "w3"]),
        ("w[08:10].x", ["w08.x", "w09.x", "w10.x"]),
        ("d-[a:c]", ["d-a", "d-b", "d-c"]),
        ("n[0:8:4]", ["n0", "n4", "n8"]),
        ("[a:b][1:2]", ["a1", "a2", "b1", "b2"]),
    ],
)
def test_a_range_stands_for_names(pattern: str, names: list[str]) -> None:
    assert spelt_out(pattern) == names


@pytest.mark.parametrize("pattern", ["w[3:1]", "w[a:3]", "w[1:2:0]", "w[1", "w[1-3]", "w[1:99999]", "[1:999][1:999]", "w[01:9]"])
def test_a_range_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises(VitrifyError):
        spelt_out(pattern)
