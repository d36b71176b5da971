"""The first answer through a router: what a rollback is timed by."""

from __future__ import annotations

import asyncio
import http.client
import time
from urllib.parse import urlsplit

from vitrify.core.diagnostic import TargetFailed

_PATIENCE = 10.0
_PAUSE = 0.005


async def first_answer(url: str) -> None:
    """Return once a GET of this URL got a complete answer below 500; `TargetFailed` after ten seconds without one."""
    await asyncio.to_thread(_ask_until_answered, url)


def _ask_until_answered(url: str) -> None:
    parts = urlsplit(url)
    deadline, reason = time.monotonic() + _PATIENCE, ""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=_PATIENCE)
        try:
            connection.request("GET", parts.path or "/")
            answer = connection.getresponse()
            answer.read()
            if answer.status < 500:
                return
            reason = f"answered {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)
        finally:
            connection.close()
        time.sleep(_PAUSE)
    raise TargetFailed(f"{url} gave no answer within {_PATIENCE:g} s", why=reason)
