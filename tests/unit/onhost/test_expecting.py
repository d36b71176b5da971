"""An answer passes where its status, its body and its headers are the ones that a check waits for."""

from __future__ import annotations

import pytest

from vitrify.core.declaration import Health
from vitrify.onhost.expecting import differs, parsed

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Release: 7\r\n\r\n" + b'{"status": "green"}'


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (Health(), ""),
        (Health(status=204), "status 200, not 204"),
        (Health(body='"green"'), ""),
        (Health(body="red"), "the body does not hold 'red'"),
        (Health(body="HTTP/1.1"), "the body does not hold 'HTTP/1.1'"),
        (Health(header={"content-type": "application/json"}), ""),
        (Health(header={"Content-Type": "text/html"}), "the header Content-Type is 'application/json', not 'text/html'"),
        (Health(header={"X-Release": "7", "X-Other": "1"}), "there is no header X-Other"),
    ],
)
def test_everything_that_is_asked_for_must_be_there(health: Health, reason: str) -> None:
    status, headers, body = parsed(ANSWER)

    assert differs(health.to_json(), status=status, headers=headers, body=body) == reason


def test_an_answer_of_lines_that_are_none_is_no_http() -> None:
    for answer in (b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 fine\r\n\r\n"):
        with pytest.raises(ValueError, match=r"^"):
            parsed(answer)


def test_a_head_that_never_ends_has_no_body() -> None:
    assert parsed(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100)[2] == b""
