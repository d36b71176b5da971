from __future__ import annotations

import pytest
from tests.trial import KEY, Project

from vitrify.core.digest import digest_bytes, keyed_digest
from vitrify.core.resource import Address, OnLeave

FILE = "- file: {path: /etc/motd, content: hello}"


def test_a_short_form_fills_the_one_field_that_says_it_all(project: Project) -> None:
    resources = project.load(project.server("- directory: /a", "- directory: [/b, /c]")).servers[0].resources

    assert [str(resource.address) for resource in resources] == ["directory:/a", "directory:/b", "directory:/c"]
    assert [resource.where.column for resource in resources if resource.where] == [9, 21, 25]


def test_what_every_resource_takes_reaches_it(project: Project) -> None:
    lines = [
        FILE,
        "- file: {path: /x, after: file:/etc/motd, on_leave: keep, protect: true, tags: [a, b]}",
        "- file: {path: /y, absent: true}",
    ]

    resources = project.load(project.server(*lines)).servers[0].resources

    assert resources[1].after == (Address("file", "/etc/motd"),)
    assert (resources[1].on_leave, resources[1].protect, resources[1].tags) == (OnLeave.KEEP, True, ("a", "b"))
    assert resources[2].absent


def test_an_inline_content_travels_as_its_digest(project: Project) -> None:
    server = project.load(project.server(FILE)).servers[0]

    digest = digest_bytes(b"hello")
    assert server.resources[0].fields == {"path": "/etc/motd", "content": digest}
    assert server.contents[digest].data == b"hello"


def test_an_absent_file_carries_no_content(project: Project) -> None:
    server = project.load(project.server("- file: {path: /x, content: hello, absent: true}")).servers[0]

    assert server.resources[0].fields == {"path": "/x"}
    assert not server.contents


def test_a_resource_that_does_not_count_is_left_out_and_nobody_waits_for_it(project: Project) -> None:
    lines = ["- file: {path: /a, when: false}", "- file: {path: /b, when: true, after: [file:/a]}"]

    (only,) = project.load(project.server(*lines)).servers[0].resources

    assert (str(only.address), only.after) == ("file:/b", ())


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("- fil: {path: /x}", "9:9 there is no kind `fil`", "did you mean `file`?"),
        ("- file: {pth: /x, path: /x}", "9:16 there is no field `pth`", "did you mean `path`?"),
        ("- file: {content: x}", "9:9 the field `path` is missing", ""),
        ("- file: {path: x}", "9:22 'x' is not an absolute path", "start it with /"),
        ("- file: {path: /x, mode: 0644}", "9:32 a mode is text, not the number 644", '"0644"'),
        ("- file: {path: /x, content: a, source: b}", "9:38 `source` cannot stand beside `content`", ""),
        ("- file: {path: /x, content: 5}", "9:35 expected text, not a number", "put it in quotes"),
        ("- command: {run: [/bin/x, 5], always: true}", "9:33 expected text, not a number", "put it in quotes"),
        ("- command: {run: /bin/x -a, always: true}", "9:24 expected a list, not text", '["/bin/x", "-a"]'),
        ("- process: {name: x, command: [/x], env: {A: 5}}", "9:52 expected text, not a number", "put it in quotes"),
        ("- file: {path: /x, when: maybe}", "9:32 expected true or false, not text", ""),
        ("- file: {path: /x, after: [motd]}", "9:34 'motd' is not an address", "kind:name"),
        ("- file: {path: /x, after: file:/y}", "9:33 there is no resource `file:/y`", ""),
        ("- file: {path: /x, on_leave: kep}", "9:36 'kep' is not one of", "did you mean `keep`?"),
        ("- file: {path: /x, absent: 1}", "9:34 expected true or false", ""),
        ("- file: {path: /x, entries: {}}", "9:26 there is no field `entries`", ""),
        ("- tree: {to: /x, from: ., entries: {}}", "9:33 there is no field `entries`", ""),
        ("- file: [/a, {path: /b}]", "9:20 expected text, not a map", "resource of its own"),
        ("- command: /bin/true", "9:18 expected a map of fields, not text", "write `command:"),
        ("- directory: []", "9:20 expected a map of fields, not a list", ""),
        ("- directory:", "9:19 expected a map of fields, not nothing", ""),
        ("- directory", "9:9 expected a resource, not text", "- file:"),
        ("- {directory: /a, file: /b}", "9:25 a resource is a map with one key, its kind", "begin each resource"),
        ("- use: hardend", "9:14 there is no profile `hardend`", ""),
        ("- use: {profil: x}", "9:15 there is no key `profil`", "did you mean `profile`?"),
    ],
)
def test_a_wrong_resource_is_told_at_its_very_place(project: Project, line: str, expected: str, rest: str) -> None:
    problems = project.problems(project.server(line))

    place = problems[0].where
    assert place
    assert f"{place.line}:{place.column} {problems[0].summary}".startswith(expected)
    assert rest in problems[0].hint


def test_fields_that_are_not_indented_below_their_kind_are_explained(project: Project) -> None:
    found, rest = project.problem(project.server("- file:", "  path: /etc/motd"))

    assert found == "10:9 a resource is a map with one key, its kind"
    assert "indent the fields below `file:`" in rest


def test_the_same_address_twice_with_equal_values_is_one_resource(project: Project) -> None:
    assert len(project.load(project.server(FILE, "- directory: /etc", FILE)).servers[0].resources) == 2


def test_the_same_address_twice_with_other_values_is_told_with_both_places(project: Project) -> None:
    found, rest = project.problem(project.server(FILE, "- file: {path: /etc/motd, content: other}"))

    assert found == "10:9 `file:/etc/motd` is declared twice, with different values"
    assert f"{project.folder}/vitrify.yaml:9:9" in rest
    assert "override: true" in rest


@pytest.mark.parametrize(
    ("whole", "also", "expected", "hint"),
    [
        (
            "- file: {path: /etc/motd, content: hello}",
            "- line: {path: /etc/motd, line: more}",
            "`line:/etc/motd#more` changes a file that `file:/etc/motd` writes whole",
            "or declare that file without a content",
        ),
        (
            "- tree: {from: app, to: /srv}",
            "- line: {path: /srv/page, line: more}",
            "`line:/srv/page#more` changes a file that `tree:/srv` writes whole",
            "put the line into what `tree:/srv` writes",
        ),
        (
            "- tree: {from: app, to: /srv}",
            "- file: {path: /srv/page, content: other}",
            "`file:/srv/page` writes /srv/page, and so does `tree:/srv`",
            "leave the path to one of them",
        ),
        (
            "- user: {name: ada, group: ops}",
            "- group: {name: ops, absent: true}",
            "`group:ops` cannot be as wished beside `user:ada`: it is its primary group",
            "take one of them out",
        ),
        (
            "- user: {name: ada, groups: [adm, ops]}",
            "- group: {name: ops, absent: true}",
            "`group:ops` cannot be as wished beside `user:ada`: it is to be a member",
            "take one of them out",
        ),
        (
            "- file: {path: /etc/motd, content: hello}",
            "- link: {path: /etc/motd, to: issue}",
            "`link:/etc/motd` writes /etc/motd, and so does `file:/etc/motd`",
            "leave the path to one of them",
        ),
    ],
    ids=["file-line", "tree-line", "tree-file", "group-of-a-user", "member-of-a-group", "file-link"],
)
def test_two_resources_that_cannot_both_be_as_wished_are_told_with_both_places(
    project: Project, whole: str, also: str, expected: str, hint: str
) -> None:
    project.file("app/page", "page")

    found, rest = project.problem(project.server(whole, also))

    assert found == f"10:9 {expected}"
    assert f"the other one is at {project.folder}/vitrify.yaml:9:9" in rest
    assert hint in rest


@pytest.mark.parametrize(
    "lines",
    [
        ["- file: {path: /etc/motd, mode: '0644'}", "- line: {path: /etc/motd, line: more}", "- line: {path: /etc/motd, line: again}"],
        ["- directory: /srv", "- tree: {from: app, to: /srv}", "- directory: {path: /srv/inner, mode: '0700'}"],
        ["- file: {path: /etc/motd, content: hello}", "- line: {path: /etc/motd, line: more, when: false}"],
    ],
    ids=["file-without-content", "folders", "dormant"],
)
def test_what_can_settle_side_by_side_is_no_problem(project: Project, lines: list[str]) -> None:
    project.file("app/inner/page", "page")

    assert project.load(project.server(*lines)).servers


def test_an_override_takes_the_place_of_the_earlier_one(project: Project) -> None:
    lines = [FILE, "- directory: /srv", "- file: {path: /etc/motd, content: other, override: true}"]

    server = project.load(project.server(*lines)).servers[0]

    assert [str(resource.address) for resource in server.resources] == ["file:/etc/motd", "directory:/srv"]
    assert server.resources[0].fields["content"] == digest_bytes(b"other")
    assert not server.notices


def test_an_override_of_nothing_is_a_notice(project: Project) -> None:
    server = project.load(project.server("- file: {path: /x, override: true}")).servers[0]

    assert "nothing stands before it" in server.notices[0]


def test_an_order_that_an_edge_changes_is_a_notice(project: Project) -> None:
    server = project.load(project.server("- file: {path: /srv/x}", "- directory: /srv")).servers[0]

    assert [resource.address.name for resource in server.resources] == ["/srv", "/srv/x"]
    assert "vitrify.yaml:9:9" in server.notices[0]


def test_a_circle_is_told_where_it_begins(project: Project) -> None:
    lines = ["- file: {path: /a, after: file:/b}", "- file: {path: /b, after: file:/a}"]

    assert project.problem(project.server(*lines))[0] == "9:9 these resources wait for each other in a circle: `file:/a` -> `file:/b`"


def test_two_servers_that_differ_about_one_address_on_one_host_are_told_with_both_places(project: Project) -> None:
    other = (
        '  db:\n    lifecycle: mutable\n    hosts: ["root:./x", local]\n    resources:\n      - file: {path: /etc/motd, content: other}\n'
    )

    found, rest = project.problem(project.server(FILE) + other)

    assert found == "14:9 the servers `web` and `db` declare different values for `file:/etc/motd` on `local`"
    assert "vitrify.yaml:9:9" in rest


def test_two_servers_may_agree_about_one_address_or_live_on_different_hosts(project: Project) -> None:
    agreeing = f"  db:\n    lifecycle: mutable\n    hosts: [local]\n    resources:\n      {FILE}\n"
    elsewhere = '  far:\n    lifecycle: mutable\n    hosts: ["root:./x"]\n    resources:\n      - file: {path: /etc/motd, content: other}\n'

    assert len(project.load(project.server(FILE) + agreeing + elsewhere).servers) == 3


def test_a_secret_content_travels_under_a_keyed_digest(project: Project) -> None:
    text = project.server("- file: {path: /x, content: secret:token}", head="secrets: {token: {env: TOKEN}}")

    server = project.load(text, environ={"TOKEN": "s3cret"}).servers[0]

    digest = keyed_digest(b"s3cret", key=KEY)
    assert server.resources[0].fields["content"] == digest
    assert server.resources[0].secret
    assert (server.contents[digest].data, server.contents[digest].secret) == (b"s3cret", True)


def test_secrets_of_a_process_travel_as_one_file_to_a_host_and_stay_out_of_its_unit(project: Project) -> None:
    line = "- process: {name: web, command: [/x], env: {B: secret:token, A: plain, C: 'secret:other'}}"
    head = "secrets: {token: {env: TOKEN}, other: {env: OTHER}}"

    server = project.load(project.server(line, head=head), environ={"TOKEN": 's3"$c', "OTHER": "o"}).servers[0]

    content = b'B="s3\\"\\$c"\nC="o"\n'
    assert server.resources[0].fields["environment_file"] == keyed_digest(content, key=KEY)
    assert server.resources[0].fields["env"] == {"B": "secret:token", "A": "plain", "C": "secret:other"}
    assert server.secrets == {"token": 's3"$c', "other": "o"}


def test_secrets_of_a_process_in_an_image_are_known_to_the_server_alone(project: Project) -> None:
    line = "- process: {name: web, command: [/x], env: {B: secret:token}}"
    text = project.server(line, head="secrets: {token: {env: TOKEN}}").replace("lifecycle: mutable", "lifecycle: immutable\n    base: host")

    server = project.load(text, environ={"TOKEN": "s3cret"}).servers[0]

    assert "environment_file" not in server.resources[0].fields
    assert server.secrets == {"token": "s3cret"}
    assert "s3cret" not in repr(server)
    assert not server.contents


def test_an_image_refuses_a_file_with_a_secret_at_the_secret(project: Project) -> None:
    lines = ["- process: {name: web, command: [/x]}", "- file: {path: /x, template: t, vars: {a: 1, b: secret:token}}"]
    text = project.server(*lines, head="secrets: {token: {env: TOKEN}}").replace(
        "lifecycle: mutable", "lifecycle: immutable\n    base: host"
    )

    found, rest = project.problem(text, environ={"TOKEN": "s3cret"})

    assert found == "11:55 an image cannot hold a secret"
    assert "env: {NAME: secret:" in rest


def test_a_secret_in_a_field_that_may_not_hold_one_is_told_at_the_value(project: Project) -> None:
    text = project.server("- command: {run: [/x, secret:token], always: true}", head="secrets: {token: {env: TOKEN}}")

    assert project.problem(text, environ={"TOKEN": "s3cret"})[0] == "9:29 a secret cannot stand in `run`"


def on_image(project: Project, word: str) -> str:
    service = '- service: {name: shop, running: true, enabled: true, restart_on: ["process:web"]}'
    text = project.server("- process: {name: web, command: [/bin/web]}", service).replace("lifecycle: mutable", "lifecycle: immutable")
    return text.replace("    resources:", f"    base: scratch\n    on_image: {word}\n    resources:")


def test_what_has_no_meaning_in_an_image_is_dropped_with_one_notice(project: Project) -> None:
    server = project.load(on_image(project, "drop")).servers[0]

    (service,) = (resource for resource in server.resources if resource.address.kind == "service")
    assert service.fields == {"name": "shop", "enabled": True}
    assert server.notices == ("has no meaning in an image and is left out there: `running`, `restart_on` of `service:shop`",)


def test_what_has_no_meaning_in_an_image_is_an_error_where_the_server_says_so(project: Project) -> None:
    found, rest = project.problem(on_image(project, "refuse"))

    assert found.endswith("`running`, `restart_on` of `service:shop` has no meaning in an image")
    assert "on_image: drop" in rest


@pytest.mark.parametrize("way", ["content: '[Unit]'", "template: unit.j2", "source: unit.j2"])
def test_a_content_that_can_be_said_in_several_ways_travels_as_its_digest_whichever_kind_it_belongs_to(project: Project, way: str) -> None:
    project.file("unit.j2", "[Unit]")

    server = project.load(project.server(f"- unit: {{name: shop, {way}}}")).servers[0]

    assert server.resources[0].fields == {"name": "shop", "content": digest_bytes(b"[Unit]")}
