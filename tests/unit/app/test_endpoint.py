"""What `serve` tells is told to this machine, or to its owner, alone; and a rude client does not make it fall over."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import pytest

from vitrify.app.endpoint import Answer, answering
from vitrify.core.diagnostic import UsageInvalid

T = TypeVar("T")
PAGES = {"/health": lambda: Answer(HTTPStatus.OK, "application/json", '{"status": "ok"}\n')}


def do(story: Coroutine[object, object, T]) -> T:
    return asyncio.run(story)


async def asked(address: str, request: bytes) -> bytes:
    """The whole answer."""
    if address.startswith("unix:"):
        folder = os.open(Path(address.removeprefix("unix:")).parent, os.O_PATH)
        reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{Path(address).name}")
        os.close(folder)
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    writer.write_eof()
    found = await reader.read()
    writer.close()
    await writer.wait_closed()
    return found


async def answers(listen: str, *requests: bytes) -> list[bytes]:
    async with answering(listen, PAGES) as address:
        return [await asked(address, request) for request in requests]


def test_it_answers_what_it_knows_and_refuses_the_rest() -> None:
    good, head, other, posted, rude, broken = do(
        answers(
            "127.0.0.1:0",
            b"GET /health?x=1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HEAD /health HTTP/1.1\r\n\r\n",
            b"GET /etc/passwd HTTP/1.1\r\n\r\n",
            b"POST /health HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            b"GET /health\r\n\r\n",
            b"x" * 100_000,
        )
    )

    assert good.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n")
    assert good.endswith(b'\r\n\r\n{"status": "ok"}\n')
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert head.endswith(b"\r\n\r\n")
    assert other.startswith(b"HTTP/1.1 404 ")
    assert posted.startswith(b"HTTP/1.1 405 ")
    assert rude.startswith(b"HTTP/1.1 400 ")
    assert broken == b""


def test_a_socket_is_its_owners_alone_however_long_its_path_and_goes_with_the_process(tmp_path: Path) -> None:
    place = tmp_path / ("long" * 30) / "serve.sock"
    place.parent.mkdir()
    modes: list[int] = []

    async def story() -> bytes:
        async with answering(f"unix:{place}", PAGES) as address:
            modes.append(place.stat().st_mode & 0o777)
            return await asked(address, b"GET /health HTTP/1.1\r\n\r\n")

    assert do(story()).startswith(b"HTTP/1.1 200 OK")
    assert modes == [0o600]
    assert not place.exists()


def test_a_socket_that_a_killed_process_left_is_replaced_and_one_that_answers_is_not(tmp_path: Path) -> None:
    place = tmp_path / "serve.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))
    assert do(answers(f"unix:{place}", b"GET /health HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 200 OK")

    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place))
        other.listen()
        with pytest.raises(UsageInvalid, match="nobody can listen"):
            do(answers(f"unix:{place}"))


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ("0.0.0.0:9464", "other machines"),
        ("192.0.2.1:9464", "other machines"),
        (":9464", "nothing to listen on"),
        ("9464", "nothing to listen on"),
        ("127.0.0.1:often", "nothing to listen on"),
        ("127.0.0.1:70000", "nobody can listen"),
        ("unix:/nowhere/at/all.sock", "nobody can listen"),
    ],
)
def test_an_address_that_others_reach_or_that_is_none_is_refused(listen: str, told: str) -> None:
    with pytest.raises(UsageInvalid, match=told):
        do(answers(listen))


def test_two_do_not_share_an_address() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageInvalid, match="in use"):
            do(answers(f"127.0.0.1:{other.getsockname()[1]}"))
