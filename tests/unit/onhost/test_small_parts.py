"""Records, identities, logs and ports: the parts that shims are made of."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from vitrify.onhost import identity, ports
from vitrify.onhost.child import application
from vitrify.onhost.identity import Identity, alive, identify
from vitrify.onhost.keeping import Ask, ask, own_command, state
from vitrify.onhost.logfile import LogFile, tail
from vitrify.onhost.record import read_record, write_record, write_together
from vitrify.onhost.shim import Control


def test_a_record_comes_back_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    path = str(tmp_path / "state.json")
    write_record(path, {"status": "running"})

    assert read_record(path) == {"status": "running"}
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_files_that_are_written_together_are_whole_and_what_says_it_already_is_left_alone(tmp_path: Path) -> None:
    write_together(str(tmp_path), {"a": b"one", "b": b"two"})
    kept = (tmp_path / "a").stat().st_ino

    write_together(str(tmp_path), {"a": b"one", "b": b"three"})

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"one", "b": b"three"}
    assert (tmp_path / "a").stat().st_ino == kept
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_no_record_and_a_broken_one_are_none(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text('{"status": ')
    (tmp_path / "link").symlink_to("broken")

    assert [read_record(str(tmp_path / name)) for name in ("absent", "broken", "link")] == [None, None, None]


def test_a_process_is_known_by_more_than_its_number() -> None:
    myself = identify(os.getpid())
    assert myself

    assert alive(myself)
    assert not alive(replace(myself, start=myself.start + 1))
    assert not alive(replace(myself, boot="another boot"))
    assert not alive(None)
    assert Identity.from_json(myself.to_json()) == myself


def test_children_are_found() -> None:
    assert os.getpid() in identity.children(os.getppid())


def test_the_application_of_a_process_without_children_is_not_there_yet() -> None:
    assert application(Identity(2**22 - 1, 1, "another boot")) is None


def test_a_log_keeps_its_end_in_two_files_of_bounded_size(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), largest=100)
    for number in range(100):
        log.write(f"line {number}\n".encode())

    assert tail(str(tmp_path / "log"), 2) == "line 98\nline 99\n"
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 200


def test_a_log_that_is_not_there_is_empty_and_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\n")

    assert tail(str(tmp_path / "absent"), 5) == ""
    assert tail(str(tmp_path / "log"), 5) == "\ufffd\n"
    assert tail(str(tmp_path / "log"), 0) == ""


def test_wishes_add_up_and_a_deadline_can_be_taken_back(tmp_path: Path) -> None:
    ask(str(tmp_path), Ask(stop_at=100.5))
    ask(str(tmp_path), Ask(stop=True, grace=3))
    assert Control.read(str(tmp_path / "control.json")) == Control(stop=True, stop_at=100.5, grace=3)

    ask(str(tmp_path), Ask(stop_at=-1))
    assert Control.read(str(tmp_path / "control.json")).stop_at is None


def test_a_folder_whose_shim_is_gone_is_lost_unless_it_was_asked_to_stop(tmp_path: Path) -> None:
    myself = identify(os.getpid())
    assert myself
    gone = replace(myself, start=myself.start + 1)
    write_record(str(tmp_path / "state.json"), {"status": "running", "shim": gone.to_json(), "restarts": 2})

    assert (state(str(tmp_path)).status, state(str(tmp_path)).restarts) == ("lost", 2)
    ask(str(tmp_path), Ask(stop=True))
    assert state(str(tmp_path)).status == "stopped"


def test_a_shim_is_started_without_anything_from_the_environment() -> None:
    command, inherited = own_command()

    assert command[1:3] == ["-I", "-S"]
    assert inherited == ()


def test_ports_are_free_stable_and_nobody_elses() -> None:
    first = ports.free([], seed="web-1")

    assert ports.free([], seed="web-1") == first
    assert ports.free([first], seed="web-1") != first


def test_a_port_that_somebody_listens_on_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        assert ports.is_taken("127.0.0.1", port)
        assert not ports.can_listen(port)
    assert not ports.is_taken("127.0.0.1", port)
    assert not ports.is_taken("256.1.1.1", port)
