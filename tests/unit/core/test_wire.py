from __future__ import annotations

import io
import struct

import pytest

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.wire import HEADER_SIZE, LARGEST, Blob, Message, decode, encode, header, receive

MESSAGES: list[Message] = [
    {},
    {"call": "observe", "id": 1, "arguments": {"text": "ü ☃ \0 \ud800", "list": [None, True, 1.5]}},
    Blob("sha256:" + "0" * 64, b""),
    Blob("hmac-sha256:" + "f" * 64, bytes(range(256)) * 3),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_received_as_it_was_sent(message: Message) -> None:
    assert receive(io.BytesIO(encode(message)).read) == message


def test_messages_follow_each_other_on_one_stream() -> None:
    stream = io.BytesIO(b"".join(encode(message) for message in MESSAGES))

    assert [receive(stream.read) for _ in MESSAGES] == MESSAGES


@pytest.mark.parametrize("message", MESSAGES[1:3])
def test_a_torn_frame_is_an_end_wherever_it_is_torn(message: Message) -> None:
    whole = encode(message)

    for length in range(len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]).read)


@pytest.mark.parametrize("start", [b"HTTP/", b"\0\0\0\1\0", b"\0\0\0\1\3", struct.pack(">IB", LARGEST + 1, 1)])
def test_what_is_no_frame_of_ours_is_refused_before_its_body_is_read(start: bytes) -> None:
    assert len(start) == HEADER_SIZE
    with pytest.raises(IntegrityFailed, match="does not speak"):
        header(start)


def test_a_greeting_of_a_login_shell_is_refused() -> None:
    with pytest.raises(IntegrityFailed):
        receive(io.BytesIO(b"Last login: Monday\n").read)


@pytest.mark.parametrize(("body", "why"), [(b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "not an object"), (b"null", "not an object")])
def test_a_body_that_is_no_object_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(IntegrityFailed, match=why):
        decode(1, body)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\x05abc", b"\0\1\xff"])
def test_a_blob_whose_name_is_torn_is_refused(body: bytes) -> None:
    with pytest.raises(IntegrityFailed, match="blob"):
        decode(2, body)
