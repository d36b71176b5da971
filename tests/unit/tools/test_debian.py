"""The list of Debian packages."""

from __future__ import annotations

import re

from tools.debian import listed, missing


def test_the_list_names_packages_and_says_what_for() -> None:
    names = listed()

    assert "python3-venv" in names
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in names)
    assert len(set(names)) == len(names)


def test_a_package_that_does_not_exist_is_missing() -> None:
    assert missing(["no-such-package-anywhere"]) == ["no-such-package-anywhere"]
