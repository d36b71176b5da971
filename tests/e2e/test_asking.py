from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from vitrify.core.system import Question
from vitrify.onhost.asking import answered
from vitrify.testing.this_machine import free_port

pytestmark = pytest.mark.e2e


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"ready: 7 at {self.path}".encode()
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(question: Question, *, within: float = 0) -> str:
    return answered(question, there=None, within=within)


@pytest.mark.parametrize(
    ("path", "question", "why"),
    [
        ("/x?y=1", Question(pattern=r"ready: \d at /x\?y=1"), ""),
        ("/away", Question(status=302), ""),
        ("/away", Question(), "status 302, not 200"),
        ("/x", Question(pattern="broken"), "'broken' is not in its body"),
    ],
)
def test_an_answer_is_compared_with_what_is_wished(port: int, path: str, question: Question, why: str) -> None:
    url = f"http://127.0.0.1:{port}{path}"
    found = ask(Question(url=url, status=question.status, pattern=question.pattern))
    assert found == (f"{url}: {why}" if why else "")


def test_a_port_that_is_listened_on_answers_and_another_says_why_not(port: int) -> None:
    shut = free_port()
    assert ask(Question(host="127.0.0.1", port=port)) == ""
    assert ask(Question(host="127.0.0.1", port=shut)) == f"nothing listens on 127.0.0.1:{shut} (Connection refused)"
    assert ask(Question(url=f"http://127.0.0.1:{shut}/")) == f"http://127.0.0.1:{shut}/: Connection refused"


def test_it_asks_again_until_it_is_answered() -> None:
    moments = iter([False, False, True])
    assert answered(Question(path="/x"), there=lambda: next(moments), within=5) == ""
    assert answered(Question(path="/x"), there=lambda: False, within=0.25) == "/x is not there"


def test_a_server_that_says_nothing_does_not_keep_us_longer_than_was_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        begun = time.monotonic()
        assert ask(Question(url=url), within=0.3) == f"{url}: no answer in time"
        assert time.monotonic() - begun < 1
