"""Packages and repositories as they are written: lists are resources of their own, what must come first comes first."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.digest import digest_bytes

REPOSITORY = '- repository: {name: shop, uris: ["file:/srv"], suites: [./], key_source: ./shop.gpg}'


def test_a_list_of_names_is_a_resource_for_each_that_shares_all_else(project: Project) -> None:
    found = project.load(project.server("- package: {name: [foo, g++], hold: true}")).servers[0].resources

    assert [(str(one.address), one.fields) for one in found] == [
        ("package:foo", {"name": "foo", "hold": True}),
        ("package:g++", {"name": "g++", "hold": True}),
    ]


def test_packages_come_after_repositories_and_answers_that_are_written_below_them(project: Project) -> None:
    (project.folder / "shop.gpg").write_bytes(b"key")
    answer = "- debconf: {package: foo, question: foo/x, vtype: string, value: y}"

    found = project.load(project.server("- package: [foo, bar]", answer, REPOSITORY)).servers[0].resources

    assert [str(one.address) for one in found] == ["debconf:foo/x", "repository:shop", "package:foo", "package:bar"]


def test_a_binary_key_travels_as_the_digest_of_its_armour(project: Project) -> None:
    (project.folder / "shop.gpg").write_bytes(b"key")

    server = project.load(project.server(REPOSITORY)).servers[0]

    content = server.contents[str(server.resources[0].fields["key_content"])].data
    assert content is not None
    assert content.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("- package: {name: 'foo=1.0'}", "'foo=1.0' is not the name of a package"),
        ("- package: {name: foo, version: '1 0'}", "'1 0' is not a version"),
        ("- package: {name: foo, update_cache: soon}", "'soon' is not an age"),
        ("- package: {name: foo, source: ./foo.deb}", "a package file needs the `version` that is in it"),
        ("- repository: {name: x, uris: [u], suites: [s]}", "`components` is missing"),
        ("- repository: {name: x, uris: [u], suites: [./], key_url: k}", "`key_url` and `key_digest` belong together"),
        ("- repository: {name: x, uris: [u], suites: [./], key: k}", "this is no key in ASCII armour"),
        ("- repository: {name: ../x, uris: [u], suites: [./]}", "the name of a repository is that of a file"),
        ("- alternative: {name: editor, path: /bin/ed, priority: 1}", "`link` and `priority` belong together"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(project: Project, line: str, problem: str) -> None:
    (project.folder / "foo.deb").write_bytes(b"")

    assert problem in str(project.problems(project.server(line))[0])


def test_a_package_file_travels_as_its_digest(project: Project) -> None:
    (project.folder / "foo.deb").write_bytes(b"a package")

    server = project.load(project.server("- package: {name: foo, version: '1', source: ./foo.deb}")).servers[0]

    assert server.resources[0].fields == {"name": "foo", "version": "1", "content": digest_bytes(b"a package")}
    assert not server.resources[0].secret
