"""The kernel's records, as they were read off its multicast group: put together whatever their order, and misled by no name."""

from __future__ import annotations

from vitrify.onhost.audit_records import CWD, EOE, EXECVE, PATH, PROCTITLE, SYSCALL, Assembler, Record

CALL = (
    "arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=55d0 a2=241 a3=1b6 items=2 ppid=90 pid=91 auid=1000 uid=0 gid=0 "
    'euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=3 comm="sh" exe="/usr/bin/dash" subj=unconfined key="any"'
)


def head(serial: int) -> str:
    return f"audit(1795632514.368:{serial}): "


def path(serial: int, item: int, name: str, what: str, *, inode: int = 7) -> tuple[int, str]:
    mode = "040755" if what == "PARENT" else "0100644"
    return PATH, f"{head(serial)}item={item} name={name} inode={inode} dev=fe:00 mode={mode} ouid=0 ogid=0 nametype={what} cap_fp=0"


def call(serial: int, more: str = CALL) -> tuple[int, str]:
    return SYSCALL, head(serial) + more


def end(serial: int) -> tuple[int, str]:
    return EOE, head(serial)


def heard(*records: tuple[int, str], pending: int = 4096) -> list[Record]:
    assembler = Assembler(pending=pending)
    return [record for kind, line in records for record in assembler.take(kind, line)]


def created(serial: int, name: str) -> list[tuple[int, str]]:
    parent = path(serial, 0, '"/srv/app/"', "PARENT", inode=2)
    return [call(serial), (CWD, f'{head(serial)}cwd="/root"'), parent, path(serial, 1, name, "CREATE"), end(serial)]


def test_a_creation_tells_who_what_and_when() -> None:
    (found,) = heard(*created(9, '"/srv/app/new"'))

    assert (found.at, found.pid, found.exe, found.uid, found.login, found.cwd) == (1795632514.368, 91, "/usr/bin/dash", 0, 1000, "/root")
    ((item, parent),) = found.touched()
    assert (item.name, item.spoken, item.folder) == ("/srv/app/new", "created", False)
    assert parent is not None
    assert (parent.place, parent.folder) == (("fe:00", 2), True)


def test_a_name_that_could_mislead_a_reader_comes_in_hex_and_is_read_back_byte_for_byte() -> None:
    hostile = b'/srv/app/x" uid=1000 nametype=DELETE\naudit(1.0:9): \xff'

    (found,) = heard(*created(9, hostile.hex().upper()))

    ((item, _),) = found.touched()
    assert item.name.encode("utf-8", "surrogateescape") == hostile
    assert (item.what, found.uid) == ("CREATE", 0)


def test_a_name_of_hex_digits_in_quotes_is_itself() -> None:
    (found,) = heard(*created(9, '"/srv/app/beef"'))

    assert found.touched()[0][0].name == "/srv/app/beef"


def test_events_that_are_told_across_each_other_are_not_mixed() -> None:
    one, two = created(9, '"/srv/app/one"'), created(10, '"/srv/app/two"')
    across = [record for pair in zip(one, two, strict=True) for record in pair]

    found = heard(*across)

    assert [record.touched()[0][0].name for record in found] == ["/srv/app/one", "/srv/app/two"]


def test_an_event_whose_end_was_lost_is_told_once_nothing_more_comes() -> None:
    assembler = Assembler()
    open_ones = [record for kind, line in created(9, '"/srv/app/new"')[:-1] for record in assembler.take(kind, line)]

    left = assembler.rest()

    assert open_ones == []
    assert [record.touched()[0][0].name for record in left] == ["/srv/app/new"]
    assert assembler.rest() == []


def test_ends_that_are_lost_again_and_again_do_not_fill_the_memory() -> None:
    endless = [record for serial in range(100) for record in created(serial, f'"/srv/app/{serial}"')[:-1]]

    found = heard(*endless, pending=10)

    assert [record.touched()[0][0].name for record in found] == [f"/srv/app/{serial}" for serial in range(90)]


def test_a_call_that_failed_touched_nothing() -> None:
    assert heard(call(9, CALL.replace("success=yes", "success=no")), path(9, 0, '"/srv/app/x"', "NORMAL"), end(9)) == []


def test_who_never_logged_in_has_no_login() -> None:
    (found,) = heard(call(9, CALL.replace("auid=1000", "auid=4294967295")), path(9, 0, '"/x"', "NORMAL"), end(9))

    assert found.login is None


def test_the_command_line_is_the_title_of_the_process_or_what_was_started() -> None:
    title = (PROCTITLE, head(9) + "proctitle=" + b"sh\0-c\0echo > /srv".hex().upper())
    started = (EXECVE, head(10) + 'argc=2 a0="ls" a1=2D6C20610A')

    by_title, by_start = heard(
        call(9), path(9, 0, '"/x"', "NORMAL"), title, end(9), call(10), path(10, 0, '"/y"', "NORMAL"), started, end(10)
    )

    assert (by_title.command, by_start.command) == ("sh -c echo > /srv", "ls -l a\n")


def test_a_rename_between_two_folders_keeps_each_name_with_its_own_folder() -> None:
    parents = [path(9, 0, '"old/"', "PARENT", inode=2), path(9, 1, '"new/"', "PARENT", inode=3)]
    names = [path(9, 2, '"old/a"', "DELETE"), path(9, 3, '"new/b"', "CREATE")]

    (found,) = heard(call(9), *parents, *names, end(9))

    told = [(item.name, item.spoken, parent.place[1] if parent else 0) for item, parent in found.touched()]
    assert told == [("old/a", "removed", 2), ("new/b", "created", 3)]


def test_what_an_overlay_writes_beneath_takes_no_name_and_no_folder_from_what_was_asked_for() -> None:
    asked = [path(9, 0, '"/srv/app/a"', "NORMAL"), path(9, 3, '"/srv/app/"', "PARENT", inode=3)]
    beneath = [path(9, 1, "(null)", "PARENT", inode=2), path(9, 2, "(null)", "CREATE")]

    (found,) = heard(call(9), asked[0], *beneath, asked[1], end(9))

    assert [(item.name, parent.place[1] if parent else 0) for item, parent in found.touched()] == [("/srv/app/a", 3)]


def test_what_is_no_record_of_an_event_is_passed_over() -> None:
    assert heard((SYSCALL, "nonsense"), (1305, head(9) + "op=add_rule"), end(9), (PATH, "")) == []


def test_numbers_that_are_none_are_unknown() -> None:
    (found,) = heard(call(9, CALL.replace("pid=91", "pid=x").replace(" uid=0", " uid=")), path(9, 0, '"/x"', "NORMAL"), end(9))

    assert (found.pid, found.uid) == (-1, -1)
