"""The file `vitrify.lock`: written one way, read with the place of all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import DeclarationInvalid
from vitrify.core.locked import Deb, Inputs, Lock, Wheel
from vitrify.project import lock

HEX = "ab" * 32
CURL = Deb("curl", "1:7.88.1-10+deb12u8", "amd64", HEX, 315_412)
TZDATA = Deb("tzdata", "2024a", "all", "cd" * 32, 100)
GUNICORN = Wheel("gunicorn", "21.2.0", "gunicorn-21.2.0-py3-none-any.whl", HEX, 80_176)
FULL = (
    Lock()
    .reference("docker.example/debian:bookworm", f"sha256:{HEX}")
    .base("debootstrap:bookworm", "amd64", Inputs.of("", (TZDATA,)))
    .server("web", "arm64", Inputs.of("debootstrap:bookworm", (TZDATA,)))
    .server("web", "amd64", Inputs.of("debootstrap:bookworm", (TZDATA, CURL), (GUNICORN,)))
)
WRITTEN = f"""\
# What the mutable references of this project stand for. `vitrify update` writes it; commit it, and read what moves.
version: 1
bases:
  "debootstrap:bookworm":
    "amd64":
      debs:
        - {{name: "tzdata", version: "2024a", architecture: "all", size: 100, sha256: "{"cd" * 32}"}}
  "docker.example/debian:bookworm":
    digest: "sha256:{HEX}"
servers:
  "web":
    "amd64":
      base: "debootstrap:bookworm"
      debs:
        - {{name: "curl", version: "1:7.88.1-10+deb12u8", architecture: "amd64", size: 315412, sha256: "{HEX}"}}
        - {{name: "tzdata", version: "2024a", architecture: "all", size: 100, sha256: "{"cd" * 32}"}}
      wheels:
        - {{name: "gunicorn", version: "21.2.0", file: "gunicorn-21.2.0-py3-none-any.whl", size: 80176, sha256: "{HEX}"}}
    "arm64":
      base: "debootstrap:bookworm"
      debs:
        - {{name: "tzdata", version: "2024a", architecture: "all", size: 100, sha256: "{"cd" * 32}"}}
"""


def test_a_lock_is_written_one_line_for_each_thing_in_one_order() -> None:
    assert lock.text(FULL) == WRITTEN


def test_what_was_written_is_read_back_the_same(tmp_path: Path) -> None:
    assert lock.read(str(tmp_path)) is None
    assert lock.write(str(tmp_path), FULL)

    assert lock.read(str(tmp_path)) == FULL
    assert not lock.write(str(tmp_path), FULL)


def test_the_order_in_which_things_were_found_does_not_show() -> None:
    assert Inputs.of("host", (CURL, TZDATA, CURL)) == Inputs.of("host", (TZDATA, CURL))


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        (("version: 1", "version: 2"), "2:10", "`version` of vitrify.lock is 2"),
        (("version: 1\n", ""), "2:1", "`version` of vitrify.lock is missing"),
        ((f"sha256:{HEX}", "sha256:ab"), "9:13", "`digest` is `sha256:` and 64 hex digits"),
        (("size: 315412", "size: many"), "15:87", "`size` is a number of bytes"),
        ((f'size: 100, sha256: "{"cd" * 32}"', "size: 100"), "7:11", "`sha256` is missing"),
        (("servers:", "server:"), "10:1", "there is no key `server` here"),
        (('"arm64":\n', '"arm64": 3\n'), "20:11", "this is not YAML"),
        (("gunicorn-21.2.0-py3-none-any.whl", "../evil.whl"), "18:55", "`file` is the name of a wheel"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: tuple[str, str], place: str, told: str) -> None:
    with pytest.raises(DeclarationInvalid) as caught:
        lock.parsed(WRITTEN.replace(*change).encode(), file="vitrify.lock")

    first = caught.value.diagnostics[0]
    assert (str(first.where), first.summary) == (f"vitrify.lock:{place}", told)
