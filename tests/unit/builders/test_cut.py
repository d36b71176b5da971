from __future__ import annotations

import pytest

from vitrify.builders.cut import Cut, cut
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Address, Resource


def wish(kind: str, name: str, /, **fields: JSON) -> JSONObject:
    after = fields.pop("after", None)
    first = tuple(Address.parse(str(one)) for one in after) if isinstance(after, list) else ()
    return Resource(Address(kind, name), fields, after=first).to_json()


def at(kind: str, path: str, /, **fields: JSON) -> JSONObject:
    return wish(kind, path, path=path, **fields)


def tree(path: str, links: tuple[str, ...] = (), **fields: JSON) -> JSONObject:
    entries: JSONObject = {name: {"type": "link", "to": "/etc"} for name in links}
    return wish("tree", path, to=path, entries=entries, **fields)


def package(name: str) -> JSONObject:
    return wish("package", name, name=name)


def user(name: str, /, **fields: JSON) -> JSONObject:
    return wish("user", name, name=name, **fields)


def command(name: str = "make") -> JSONObject:
    return wish("command", name, name=name, run=["/bin/true"])


def process() -> JSONObject:
    return wish("process", "web", name="web", command=["/bin/app"])


def told(found: Cut) -> list[tuple[str, list[str]]]:
    return [(one.name, [str(resource["address"]) for resource in one.resources]) for one in found.slices]


def test_what_changes_often_is_last() -> None:
    wishes = [package("curl"), at("download", "/srv/data"), tree("/srv/app"), command(), at("file", "/etc/motd"), process()]

    assert [name for name, _ in told(cut(wishes))] == ["system", "downloads", "trees", "commands", "files"]


def test_nothing_at_all_is_one_empty_layer() -> None:
    assert told(cut([])) == [("files", [])]


def test_a_package_comes_before_what_is_written_ahead_of_it_where_no_package_looks() -> None:
    assert told(cut([tree("/srv/app"), package("curl")])) == [("system", ["package:curl"]), ("trees", ["tree:/srv/app"])]


def test_a_file_that_a_package_may_see_stays_ahead_of_it_in_a_layer_of_its_own() -> None:
    wishes = [at("file", "/etc/apt/apt.conf.d/proxy"), package("curl"), at("file", "/etc/motd")]

    assert told(cut(wishes)) == [
        ("before system", ["file:/etc/apt/apt.conf.d/proxy"]),
        ("system", ["package:curl"]),
        ("files", ["file:/etc/motd"]),
    ]


def test_packages_with_files_between_them_are_layers_in_turn_so_that_a_file_remakes_only_what_is_after_it() -> None:
    wishes = [package("a"), at("file", "/etc/a"), package("b"), at("file", "/etc/b"), package("c")]

    assert [addresses for _, addresses in told(cut(wishes))] == [[str(one["address"])] for one in wishes]


def test_each_tree_and_each_download_is_a_layer_with_the_folders_above_it() -> None:
    wishes = [at("directory", "/srv/a"), tree("/srv/a/x"), at("directory", "/srv/b"), tree("/srv/b/x"), at("download", "/opt/d")]

    assert told(cut(wishes)) == [
        ("downloads", ["download:/opt/d"]),
        ("trees", ["directory:/srv/a", "tree:/srv/a/x"]),
        ("trees, 2", ["directory:/srv/b", "tree:/srv/b/x"]),
    ]


def test_of_very_many_turns_the_last_share_a_layer() -> None:
    wishes = [one for number in range(20) for one in (package(f"p{number}"), at("file", f"/etc/{number}"))]

    found = told(cut([*wishes, package("last")]))

    assert [len(addresses) for _, addresses in found] == [1] * 7 + [33, 1]


def test_a_command_sees_all_that_is_written_before_it_and_nothing_after() -> None:
    wishes = [at("file", "/a"), tree("/srv/app"), command(), at("file", "/b")]

    assert told(cut(wishes)) == [
        ("trees", ["tree:/srv/app"]),
        ("before commands", ["file:/a"]),
        ("commands", ["command:make"]),
        ("files", ["file:/b"]),
    ]


@pytest.mark.parametrize("first", [command(), wish("service", "web"), wish("somebodys", "x"), at("file", "/srv/x", validate=["check"])])
def test_what_nobody_can_foresee_stays_where_it_is_written(first: JSONObject) -> None:
    found = [address for _, addresses in told(cut([first, tree("/srv/app"), package("curl")])) for address in addresses]

    assert found.index(str(first["address"])) < min(found.index("tree:/srv/app"), found.index("package:curl"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (at("file", "/srv/app/x"), tree("/srv/app")),
        (at("directory", "/srv"), tree("/srv/app")),
        (at("line", "/srv/app/x"), tree("/srv/app")),
        (at("file", "/srv/app.tar"), wish("archive", "/srv/app", path="/srv/app", file="/srv/app.tar")),
        (at("file", "/srv/a/b/c", parents=True), tree("/srv/a/d")),
        (at("line", "/etc/passwd"), tree("/srv/app", owner="www-data")),
        (at("file", "/etc/motd"), wish("tree", "/srv/app", to="/srv/app", entries={}, after=["file:/etc/motd"])),
        (at("file", "/srv/app", owner="app"), user("app")),
        (at("file", "/srv/x"), user("app", home="/srv/app")),
        (at("file", "/srv/x", owner="www-data"), package("nginx")),
    ],
)
def test_whoever_can_notice_the_other_keeps_the_written_order(first: JSONObject, then: JSONObject) -> None:
    found = [address for _, addresses in told(cut([first, then])) for address in addresses]

    assert found == [str(first["address"]), str(then["address"])]


@pytest.mark.parametrize("link", [at("link", "/srv/a", to="/etc"), tree("/srv", links=("a",))])
def test_through_a_declared_link_a_path_says_nothing(link: JSONObject) -> None:
    found = told(cut([link, at("file", "/srv/a/motd"), tree("/opt/app")]))

    assert found[-1] == ("trees", ["tree:/opt/app"])


def test_what_is_added_at_the_end_moves_nothing_beneath_it() -> None:
    wishes = [package("curl"), at("file", "/etc/a"), tree("/srv/app"), command(), at("file", "/etc/b"), process()]

    before, after = cut(wishes).slices, cut([*wishes, at("file", "/etc/c")]).slices

    assert after[:-1] == before[:-1]


def test_a_folder_needs_no_layer_of_its_own() -> None:
    assert told(cut([at("directory", "/srv"), tree("/srv/app")])) == [("trees", ["directory:/srv", "tree:/srv/app"])]


def test_the_paths_that_act_out_of_their_turn_are_named_and_no_others() -> None:
    assert cut([at("file", "/etc/motd"), tree("/srv/app"), at("file", "/etc/x")]).crossed == ("/etc/motd", "/srv/app")
    assert cut([package("curl"), tree("/srv/app"), at("file", "/etc/x")]).crossed == ()
