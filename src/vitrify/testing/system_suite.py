"""What every `System` promises a kind, as tests: a host, a folder and an image keep the same ones."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.digest import digest_bytes, keyed_digest
from vitrify.core.system import Attributes, System, digest_like

KEY = b"a key for tests"
CONTENTS = {digest_bytes(b"wished"): b"wished", digest_bytes(b"other"): b"tampered with"}

Open = Callable[[Path], System]
"""Opens a system over this folder; contents come from `CONTENTS`, secrets are compared by `KEY`."""

NONE = Attributes()


def blob(digest: str) -> bytes:
    """What the control machine of these tests has."""
    return CONTENTS[digest]


class SystemSuite:
    """Subclass it, and give it a fixture `at` of type `Open`. The folder given to it is the tree that the system shows."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A tree with a few things in it."""
        root = tmp_path / "root"
        (root / "etc").mkdir(parents=True)
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nada:x:1234:1234::/home/ada:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nada:x:1234:\n")
        (root / "etc/motd").write_text("hello\n")
        (root / "etc/motd").chmod(0o640)
        (root / "etc/link").symlink_to("motd")
        return root

    @pytest.fixture
    def system(self, at: Open, root: Path) -> System:
        """The system over that tree."""
        return at(root)

    # -- looking -------------------------------------------------------------------------------------------------

    def test_a_file_is_told_with_its_mode_and_size(self, system: System) -> None:
        found = system.stat("/etc/motd")
        assert found
        assert (found.type, found.mode, found.size) == ("file", "0640", 6)

    def test_a_link_is_told_and_not_followed(self, system: System) -> None:
        found = system.stat("/etc/link")
        assert found
        assert (found.type, found.link) == ("link", "motd")

    def test_nothing_is_told_as_none(self, system: System) -> None:
        assert system.stat("/etc/nothing") is None
        assert system.stat("/no/such/folder/x") is None

    def test_below_a_file_is_nothing(self, system: System) -> None:
        assert system.stat("/etc/motd/x") is None

    def test_the_root_itself_is_a_folder(self, system: System) -> None:
        found = system.stat("/")
        assert found
        assert found.type == "directory"

    def test_a_pipe_is_other_and_reading_it_does_not_wait(self, system: System, root: Path) -> None:
        os.mkfifo(root / "etc/pipe")
        found = system.stat("/etc/pipe")
        assert found
        assert found.type == "other"
        with pytest.raises(TargetFailed):
            system.read("/etc/pipe")

    def test_content_and_its_digests(self, system: System) -> None:
        assert system.read("/etc/motd") == b"hello\n"
        assert system.digest("/etc/motd", keyed=False) == digest_bytes(b"hello\n")
        assert system.digest("/etc/motd", keyed=True) == keyed_digest(b"hello\n", key=KEY)

    def test_bytes_are_told_from_others_by_their_digest(self, system: System) -> None:
        for digest in (digest_bytes(b"one"), keyed_digest(b"one", key=KEY)):
            assert digest_like(digest, b"one", system) == digest
            assert digest_like(digest, b"two", system) != digest

    def test_a_file_is_read_in_parts_and_written_from_a_stream(self, system: System) -> None:
        with system.open("/etc/motd") as stream:
            assert (stream.read(2), stream.seek(4), stream.read()) == (b"he", 4, b"o\n")
            stream.seek(0)
            system.write("/etc/copy", stream, attributes=NONE)
        assert system.read("/etc/copy") == b"hello\n"

    def test_what_is_no_file_is_not_opened(self, system: System) -> None:
        for path in ("/etc", "/etc/link", "/etc/nothing"):
            with pytest.raises(TargetFailed, match=path), system.open(path):
                pass

    def test_reading_what_is_no_file_fails_with_its_path(self, system: System) -> None:
        for path in ("/etc", "/etc/link", "/etc/nothing"):
            with pytest.raises(TargetFailed, match=path):
                system.read(path)

    def test_names_are_sorted(self, system: System) -> None:
        assert system.names("/etc") == ("group", "link", "motd", "passwd")

    def test_the_names_of_what_is_no_folder_are_refused(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc/motd"):
            system.names("/etc/motd")

    # -- writing -------------------------------------------------------------------------------------------------

    def test_a_new_file_has_mode_0644(self, system: System) -> None:
        system.write("/etc/new", b"new", attributes=NONE)
        found = system.stat("/etc/new")
        assert found
        assert (found.type, found.mode, system.read("/etc/new")) == ("file", "0644", b"new")

    def test_writing_again_keeps_the_mode(self, system: System) -> None:
        system.write("/etc/motd", b"bye", attributes=NONE)
        found = system.stat("/etc/motd")
        assert found
        assert (found.mode, system.read("/etc/motd")) == ("0640", b"bye")

    def test_every_mode_comes_back(self, system: System) -> None:
        for mode in ("0600", "0000", "0755", "4755", "2711", "0444"):
            system.write("/etc/new", mode.encode(), attributes=Attributes(mode=mode))
            found = system.stat("/etc/new")
            assert found
            assert (found.mode, system.read("/etc/new")) == (mode, mode.encode())

    def test_owner_and_group_by_name_are_the_trees_own(self, system: System) -> None:
        system.write("/etc/new", b"", attributes=Attributes(owner="ada", group="ada"))
        found = system.stat("/etc/new")
        assert found
        assert (found.owner, found.group) == ("ada", "ada")

    def test_a_number_without_a_name_stays_a_number(self, system: System) -> None:
        system.write("/etc/new", b"", attributes=Attributes(owner="54321", group="54322"))
        found = system.stat("/etc/new")
        assert found
        assert (found.owner, found.group) == ("54321", "54322")

    def test_an_unknown_owner_is_refused_and_nothing_is_written(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="nobody-knows"):
            system.write("/etc/new", b"", attributes=Attributes(owner="nobody-knows"))
        assert system.stat("/etc/new") is None

    def test_a_link_in_its_place_is_replaced_not_followed(self, system: System) -> None:
        system.write("/etc/link", b"file", attributes=NONE)
        found = system.stat("/etc/link")
        assert found
        assert (found.type, system.read("/etc/motd")) == ("file", b"hello\n")

    def test_a_folder_is_never_replaced_by_a_file(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc"):
            system.write("/etc", b"", attributes=NONE)

    def test_a_missing_folder_is_named(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/no/such") as refused:
            system.write("/no/such/file", b"", attributes=NONE)
        assert "declare the folder" in refused.value.diagnostics[0].hint

    def test_nothing_is_left_beside_what_was_written(self, system: System) -> None:
        system.write("/etc/new", b"new", attributes=NONE)
        system.make_link("/etc/other", to="new")
        assert system.names("/etc") == ("group", "link", "motd", "new", "other", "passwd")

    # -- folders, links, attributes, removal -----------------------------------------------------------------------

    def test_a_new_folder_has_mode_0755_and_is_empty(self, system: System) -> None:
        system.make_directory("/etc/conf.d", attributes=NONE)
        found = system.stat("/etc/conf.d")
        assert found
        assert (found.type, found.mode, system.names("/etc/conf.d")) == ("directory", "0755", ())

    def test_a_folder_that_exists_is_not_made_again(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc"):
            system.make_directory("/etc", attributes=NONE)

    def test_a_link_is_made_and_replaced(self, system: System) -> None:
        system.make_link("/etc/link", to="elsewhere")
        found = system.stat("/etc/link")
        assert found
        assert found.link == "elsewhere"

    def test_a_folder_is_never_replaced_by_a_link(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc"):
            system.make_link("/etc", to="elsewhere")
        assert system.read("/etc/motd") == b"hello\n"

    def test_attributes_are_set_one_by_one(self, system: System) -> None:
        before = system.stat("/etc/motd")
        system.set_attributes("/etc/motd", Attributes(mode="0600"))
        system.set_attributes("/etc/motd", Attributes(group="ada"))
        found = system.stat("/etc/motd")
        assert found
        assert before
        assert (found.mode, found.owner, found.group) == ("0600", before.owner, "ada")

    def test_a_link_has_no_attributes(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc/link"):
            system.set_attributes("/etc/link", Attributes(mode="0600"))

    def test_files_links_and_empty_folders_are_removed(self, system: System) -> None:
        system.make_directory("/etc/conf.d", attributes=NONE)
        for path in ("/etc/motd", "/etc/link", "/etc/conf.d"):
            system.remove(path)
            assert system.stat(path) is None

    def test_removing_nothing_is_fine(self, system: System) -> None:
        system.remove("/etc/nothing")
        system.remove("/no/such/folder/x")

    def test_a_full_folder_is_not_removed(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="/etc"):
            system.remove("/etc")
        assert system.read("/etc/motd") == b"hello\n"

    def test_what_was_removed_can_be_made_again_and_is_new(self, system: System) -> None:
        system.make_directory("/etc/conf.d", attributes=Attributes(mode="0700"))
        system.write("/etc/conf.d/one", b"1", attributes=NONE)
        system.remove("/etc/conf.d/one")
        system.remove("/etc/conf.d")
        system.make_directory("/etc/conf.d", attributes=NONE)
        found = system.stat("/etc/conf.d")
        assert found
        assert (found.mode, system.names("/etc/conf.d")) == ("0755", ())

    # -- links on the way ----------------------------------------------------------------------------------------------

    def test_a_link_on_the_way_is_followed_within_the_tree(self, system: System, root: Path) -> None:
        (root / "lib").symlink_to("etc")
        (root / "absolute").symlink_to("/etc")
        assert system.read("/lib/motd") == b"hello\n"
        system.write("/absolute/new", b"new", attributes=NONE)
        assert system.read("/etc/new") == b"new"

    def test_no_link_leads_out_of_the_tree(self, system: System, root: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("not yours")
        (root / "etc/up").symlink_to("../../../../../../../../" + str(outside).strip("/"))
        (root / "etc/away").symlink_to(outside)
        for path in ("/etc/up/secret", "/etc/away/secret"):
            assert system.stat(path) is None
            with pytest.raises(TargetFailed):
                system.write(path, b"overwritten", attributes=NONE)
            system.remove(path)
        assert (outside / "secret").read_text() == "not yours"

    def test_a_circle_of_links_is_an_error_that_names_the_path(self, system: System, root: Path) -> None:
        (root / "etc/a").symlink_to("b")
        (root / "etc/b").symlink_to("a")
        with pytest.raises(TargetFailed, match="/etc/a/x"):
            system.stat("/etc/a/x")

    # -- contents ------------------------------------------------------------------------------------------------

    def test_a_content_is_had_by_its_digest(self, system: System) -> None:
        assert system.blob(digest_bytes(b"wished")) == b"wished"

    def test_a_content_that_is_not_what_its_digest_says_is_refused(self, system: System) -> None:
        with pytest.raises(IntegrityFailed):
            system.blob(digest_bytes(b"other"))

    def test_facts_are_told(self, system: System) -> None:
        assert {"os", "arch", "hostname", "python"} <= set(system.facts())

    def test_strange_names_are_names(self, system: System) -> None:
        for name in ("two\nlines", "\udcff\udcfe", " ", "-rf", "ü" * 127):
            system.write(f"/etc/{name}", name.encode("utf-8", "surrogateescape"), attributes=NONE)
            assert system.read(f"/etc/{name}") == name.encode("utf-8", "surrogateescape")
            assert name in system.names("/etc")

    def test_a_name_that_is_too_long_is_an_error_that_says_so(self, system: System) -> None:
        with pytest.raises(TargetFailed, match="File name too long"):
            system.write("/etc/" + "n" * 300, b"", attributes=NONE)

    def test_a_disk_never_shows_a_mode_wider_than_declared(self, system: System, root: Path) -> None:
        system.write("/etc/new", b"secret", attributes=Attributes(mode="0400"))
        on_disk = [path for path in root.parent.rglob("new") if path.is_file()]
        assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in on_disk)
