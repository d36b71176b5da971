"""Names are those of the tree, numbers stay numbers."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.onhost.accounts import RootAccounts

FILES = {
    "/etc/passwd": b"root:x:0:0::/root:/bin/sh\n\n+nis\nbroken\nada:x:1000:2000::/home/ada:/bin/sh\ntwin:x:1000:1::/:/bin/sh\n",
    "/etc/group": b"root:x:0:\nstaff:x:2000:ada\n",
}


def accounts(files: dict[str, bytes]) -> RootAccounts:
    return RootAccounts(files.get, lambda path: (len(files.get(path, b"")),))


def test_names_and_numbers() -> None:
    found = accounts(FILES)

    assert (found.user("ada"), found.group("staff"), found.user("4711"), found.group("4712")) == (1000, 2000, 4711, 4712)
    assert (found.user_name(1000), found.group_name(2000), found.user_name(4711)) == ("ada", "staff", "4711")
    assert (found.primary_group(1000), found.primary_group(4711)) == (2000, 4711)


def test_an_unknown_name_is_told_with_what_to_do() -> None:
    with pytest.raises(TargetFailed, match="there is no user 'bob' on this target") as refused:
        accounts(FILES).user("bob")
    assert "by its number" in refused.value.diagnostics[0].hint


def test_root_is_known_even_in_an_empty_tree() -> None:
    found = accounts({})

    assert (found.user("root"), found.group("root"), found.user_name(0), found.group_name(0)) == (0, 0, "root", "root")


def test_an_account_that_is_made_later_is_found() -> None:
    files = dict(FILES)
    found = accounts(files)
    assert found.user("ada") == 1000
    files["/etc/passwd"] += b"bob:x:1001:1001::/:/bin/sh\n"

    assert found.user("bob") == 1001
