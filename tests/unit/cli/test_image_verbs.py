"""What the verbs for images ask of the application, and what they show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import Denied, TargetUnreachable
from vitrify.core.event import Event, Stage
from vitrify.core.image_report import ImageKept

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

IMAGE, THERE = "sha256:" + "ab12" * 16, "sha256:" + "cd34" * 16
TO = "registry.example/team/web:1.4"


def test_a_push_says_what_the_image_is_called_there(console: Console) -> None:
    console.app.events = (Event("push.blob", Stage.DONE, IMAGE[:19], "sent"), Event("push", Stage.PROGRESS, TO, "1.0 of 2.0 MiB"))

    ended = console("push", "web", TO)

    assert ended.code is Exit.DONE
    assert ended.out.splitlines() == [f"{IMAGE}  2.2 MiB sent", f"  {TO} is {THERE}"]
    assert "push blob sha256:ab12ab12ab12  sent" in ended.err
    assert console.app.calls == [("push", {"what": "web", "reference": TO, "plain": False, "compression": "gzip"})]


def test_push_and_pull_take_their_flags(console: Console) -> None:
    console("push", "web", TO, "--compression", "zstd", "--plain-http", "-q")
    console("pull", TO, environ={"VITRIFY_PLAIN_HTTP": "1"})

    assert console.app.calls[0][1] == {"what": "web", "reference": TO, "plain": True, "compression": "zstd"}
    assert console.app.calls[1] == ("pull", {"reference": TO, "plain": True})


@pytest.mark.parametrize(
    ("command", "schema"), [(("push", "web", TO), "push"), (("pull", TO), "pull"), (("export", "web", "web.tar"), "export")]
)
def test_what_was_moved_is_a_document_too(console: Console, command: tuple[str, ...], schema: str) -> None:
    found = json.loads(console(*command, "-o", "json").out)

    assert found["schema"] == f"vitrify.dev/{schema}/v1"
    assert found["image"] == IMAGE
    assert set(found) == {"schema", "image", "place", "manifest", "bytes"}


def test_export_and_load_tell_what_they_wrote_and_read(console: Console) -> None:
    written = console("export", "web", "web.oci/", "--name", TO, "--evidence")
    read = console("load", "web.oci")

    assert (written.out, read.out) == (f"{IMAGE}  11.8 MiB written\n", f"{IMAGE}  11.8 MiB read\n")
    assert console.app.calls[0][1] == {"what": "web", "into": "web.oci/", "name": TO, "evidence": True}
    assert json.loads(console("load", "web.oci", "-o", "json").out)["images"][0]["image"] == IMAGE


def test_images_are_listed_with_what_refers_to_them(console: Console) -> None:
    assert "no image here" in console("images").out
    console.app.images_are = (
        ImageKept(IMAGE, 12_345_678, "rootfs", "web", ("web 4 (live)", "web 3 (warm)"), (TO,)),
        ImageKept(THERE, 99, "", "", (), ()),
    )

    rows = console("images").out.splitlines()

    assert rows[1].split() == ["sha256:ab12ab12ab12", "11.8", "MiB", "rootfs", "web", "web", "4", "(live),", "web", "3", "(warm)", TO]
    assert rows[2].split() == ["sha256:cd34cd34cd34", "99", "B", "-", "-", "-", "-"]
    assert IMAGE in console("images", "-v").out
    assert [one["releases"] for one in json.loads(console("images", "-o", "json").out)["images"]] == [["web 4 (live)", "web 3 (warm)"], []]


@pytest.mark.parametrize(("error", "code"), [(Denied("no"), Exit.DENIED), (TargetUnreachable("gone"), Exit.UNREACHABLE)])
def test_how_a_push_failed_is_its_exit_code(console: Console, error: Exception, code: Exit) -> None:
    console.app.error = error

    assert console("push", "web", TO).code is code


@pytest.mark.parametrize("verb", ["push", "pull", "images", "export", "load"])
def test_each_shows_examples_and_exit_codes(console: Console, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    console(verb, "-h")

    told = capsys.readouterr().out
    assert f"vitrify {verb}" in told
    assert "Exit codes" in told
