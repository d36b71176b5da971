"""Asks over the network, from where it runs, until it is answered or the time is over."""

from __future__ import annotations

import http.client
import re
import socket
import time
from typing import Callable, Optional
from urllib.parse import urlsplit

from vitrify.core.system import Question

ONE_LOOK = 5.0
"""Seconds that a single question may take."""
PAUSE = 0.1
LARGEST = 64 << 10
"""Bytes of a body that are searched."""


def answered(question: Question, *, there: Optional[Callable[[], bool]], within: float) -> str:
    """See `System.answered`; `there` looks for the path of a question about one."""
    deadline = time.monotonic() + within
    while True:
        left = deadline - time.monotonic()
        why = _look(question, there, timeout=min(ONE_LOOK, max(left, PAUSE)) if within else ONE_LOOK)
        if not why or time.monotonic() + PAUSE > deadline:
            return why
        time.sleep(PAUSE)


def _look(question: Question, there: Optional[Callable[[], bool]], *, timeout: float) -> str:
    if there is not None:
        return "" if there() else f"{question.path} is not there"
    if question.url:
        return _get(question, timeout)
    try:
        socket.create_connection((question.host, question.port), timeout=timeout).close()
    except OSError as error:
        return f"nothing listens on {question.host}:{question.port} ({_reason(error)})"
    return ""


def _get(question: Question, timeout: float) -> str:
    """One request; redirections are answers like any other."""
    parts = urlsplit(question.url)
    try:
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read(LARGEST).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{question.url}: {_reason(error)}"
    if response.status != question.status:
        return f"{question.url}: status {response.status}, not {question.status}"
    return "" if not question.pattern or re.search(question.pattern, body) else f"{question.url}: {question.pattern!r} is not in its body"


def _reason(error: Exception) -> str:
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
