from __future__ import annotations

import pytest

from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.resources.file import File
from vitrify.testing.memory_system import MemorySystem, Node

FILE = File()


def file(path: str = "/etc/motd", *, secret: bool = False, **fields: JSON) -> Resource:
    return Resource(Address("file", path), {"path": path, **fields}, secret=secret)


def system_with(node: Node, *, path: str = "/etc/motd") -> MemorySystem:
    system = MemorySystem()
    system.put(path, node)
    return system


def body(node: Node, *, secret: bool = False, content: str = "sha256:x") -> str | None:
    return FILE.observe(file(content=content, secret=secret), system_with(node)).body


def test_a_text_that_everybody_may_read_is_told_for_the_diff() -> None:
    assert body(Node("file", content="grüße ☃\n".encode())) == "grüße ☃\n"


@pytest.mark.parametrize(
    "node",
    [
        Node("file", mode="0640", content=b"x"),
        Node("file", mode="0000", content=b"x"),
        Node("file", content=b"\xff\xfe"),
        Node("file", content=b"a\0b"),
        Node("file", content=b"x" * (64 * 1024 + 1)),
        Node("link", to="/etc/shadow"),
        Node("directory", mode="0755"),
    ],
    ids=["for its group", "for nobody", "no text", "binary", "large", "link", "folder"],
)
def test_any_other_body_is_kept_back(node: Node) -> None:
    assert body(node) is None


def test_the_body_of_a_secret_is_kept_back_even_where_everybody_may_read_it() -> None:
    assert body(Node("file", content=b"hunter2"), secret=True) is None


def test_the_body_of_a_file_in_a_shut_folder_is_kept_back() -> None:
    system = system_with(Node("file", content=b"x"), path="/root/x")
    system.put("/root", Node("directory", mode="0700"))

    assert FILE.observe(file("/root/x", content="sha256:x"), system).body is None


def test_a_file_without_a_declared_content_is_not_read() -> None:
    seen = FILE.observe(file(mode="0644"), system_with(Node("file", content=b"x" * 100)))

    assert "content" not in seen.properties
    assert seen.body is None


def test_a_secret_is_compared_by_a_keyed_digest_alone() -> None:
    system = system_with(Node("file", mode="0600", content=b"hunter2"))

    seen = FILE.observe(file(content="hmac-sha256:0", secret=True), system)

    assert str(seen.properties["content"]).startswith("hmac-sha256:")
    assert digest_bytes(b"hunter2") not in str(seen.to_json())


@pytest.mark.parametrize(
    ("fields", "mode"),
    [({}, "0600"), ({"mode": "640"}, "0640")],
)
def test_a_secret_is_for_its_owner_alone_unless_a_mode_says_otherwise(fields: dict[str, JSON], mode: str) -> None:
    wish = Resource(Address("file", "/x"), {"path": "/x", "content": "hmac-sha256:0", **fields}, secret=True)

    assert FILE.desired(wish)["mode"] == mode


def test_the_new_text_is_shown_where_old_and_new_are_for_all_to_see() -> None:
    system = MemorySystem()
    digest = system.supply(b"new\n")
    seen = FILE.observe(file(content=digest), system_with(Node("file", content=b"old\n")))

    assert FILE.text(file(content=digest), seen, system.blob) == "new\n"
    assert FILE.text(file(content=digest).gone(), seen, system.blob) == ""


@pytest.mark.parametrize(
    ("wish", "mode"),
    [
        (file(content="sha256:0", mode="0600"), "0644"),
        (file(content="sha256:0"), "0600"),
        (file(content="hmac-sha256:0", secret=True), "0644"),
        (file(mode="0644"), "0644"),
    ],
    ids=["will be shut", "is shut", "secret", "no content"],
)
def test_the_new_text_is_not_even_asked_for_otherwise(wish: Resource, mode: str) -> None:
    def refuse(digest: str) -> bytes:
        raise AssertionError(digest)

    seen = FILE.observe(wish, system_with(Node("file", mode=mode, content=b"old\n")))

    assert FILE.text(wish, seen, refuse) is None


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"content": "a", "source": "b"}, "`source` cannot stand beside `content`"),
        ({"content": "a", "vars": {}}, "`vars` has no meaning without `template`"),
        ({"template": "a.j2", "vars": []}, "expected a map"),
        ({"content": "a", "validate": ["visudo", "-cf"]}, "`validate` does not say where the new file goes"),
        ({"mode": 420}, "a mode is text, not the number 420"),
        ({"path": "etc/motd"}, "'etc/motd' is not an absolute path"),
        ({"contents": "a"}, "there is no field `contents`"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in FILE.schema.problems({"path": "/etc/motd", **fields})] == [summary]


def test_a_file_comes_after_the_folders_that_hold_it_and_nothing_else() -> None:
    others = [
        Resource(Address("directory", "/srv"), {"path": "/srv"}),
        Resource(Address("tree", "/srv/app"), {"to": "/srv/app"}),
        Resource(Address("link", "/srv/app/current"), {"path": "/srv/app/current"}),
        Resource(Address("directory", "/srv/application"), {"path": "/srv/application"}),
        Resource(Address("directory", "/srv/app/current/gone"), {"path": "/srv/app/current/gone"}, absent=True),
        Resource(Address("file", "/srv/app"), {"path": "/srv/app"}),
    ]

    found = FILE.implied(file("/srv/app/current/gone/x"), {other.address: other for other in others})

    assert [str(address) for address in found] == ["directory:/srv", "tree:/srv/app", "link:/srv/app/current"]


def test_an_absent_file_need_not_wait_for_a_folder() -> None:
    folder = Resource(Address("directory", "/srv"), {"path": "/srv"})

    assert FILE.implied(file("/srv/x").gone(), {folder.address: folder}) == ()
