"""Delivers notices: to a webhook by HTTP, or to a command on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vitrify import __version__
from vitrify.lifecycle.notices import Failure

if TYPE_CHECKING:
    from vitrify.core.notice import Notice

_BUSY = frozenset({408, 425, 429})
"""Refusals after which another attempt may succeed."""


@dataclass(frozen=True)
class Sender:
    """Sends from this machine. `folder` is where commands run, `environ` what they inherit."""

    folder: str
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, notice: Notice, body: bytes, /) -> Failure | None:
        """One attempt."""
        return self._posted(notice, body) if notice.url else self._run(notice, body)

    def _posted(self, notice: Notice, body: bytes) -> Failure | None:
        import httpx2  # few commands tell anybody anything

        headers = {"Content-Type": "application/json", "User-Agent": f"vitrify/{__version__}", **notice.headers}
        try:
            # Nobody is followed elsewhere: what a header holds is for whom it was declared. Certificates are checked.
            with (
                httpx2.Client(timeout=notice.timeout, follow_redirects=False) as client,
                client.stream("POST", notice.url, content=body, headers=headers) as answer,
            ):
                code = answer.status_code
        except httpx2.TimeoutException:
            return Failure(f"no answer within {notice.timeout:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
            return Failure(f"{type(error).__name__}: {error}".replace(notice.url, "its address"))
        if code in range(200, 300):
            return None
        if code in range(300, 400):
            return Failure(f"it answered {code}, and redirects are not followed", again=False)
        return Failure(f"it answered {code}", again=code >= 500 or code in _BUSY)

    def _run(self, notice: Notice, body: bytes) -> Failure | None:
        try:
            process = subprocess.Popen(
                notice.command,
                cwd=self.folder,
                env={**self.environ, **notice.env},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return Failure(f"it cannot be started: {error.strerror}", again=False)
        try:
            process.communicate(body, timeout=notice.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Failure(f"it did not end within {notice.timeout:g} s")
        return Failure(f"it ended with {process.returncode}") if process.returncode else None
