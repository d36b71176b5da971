"""Has something over HTTP: taken up again where a connection broke, and never telling a secret to a stranger."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Dict, Iterator

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Fetch
from vitrify.onhost.faults import told

if TYPE_CHECKING:  # only who fetches loads an HTTP client, and OpenSSL with it
    from http.client import HTTPMessage
    from urllib.request import OpenerDirector, Request

CHUNK = 1 << 20
ROOMY = "/var/tmp"  # noqa: S108  the file has no name there; /tmp is often memory
PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two tries; doubled each time."""
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""What a server says that may say otherwise in a moment."""


@contextmanager
def fetched(wanted: Fetch) -> Iterator[IO[bytes]]:
    """The whole answer, in a file without a name; TargetFailed says what stood against it."""
    with tempfile.TemporaryFile(dir=ROOMY if os.path.isdir(ROOMY) else None) as file:
        _Fetching(wanted, file).go()
        file.seek(0)
        yield file


class _Broken(Exception):
    """The answer ended too early, or the server is busy: worth another try."""


class _Fetching:
    """One answer on its way, over as many connections as it takes."""

    def __init__(self, wanted: Fetch, file: IO[bytes]) -> None:
        self._wanted = wanted
        self._file = file
        self._opener = _opener()
        self._version = ""

    def go(self) -> None:
        """Try until all of it is there."""
        reason = ""
        for attempt in range(max(1, self._wanted.tries)):
            if attempt:
                time.sleep(min(LONGEST_PAUSE, PAUSE * 2 ** (attempt - 1)))
            try:
                self._once()
            except _Broken as broken:
                reason = str(broken)
            else:
                return
        raise self._failed(reason, hint=f"it was tried {self._wanted.tries} times")

    def _failed(self, why: str, *, hint: str = "") -> TargetFailed:
        return TargetFailed(f"{self._wanted.url} cannot be had", why=why, hint=hint)

    def _once(self) -> None:
        from http.client import HTTPException
        from urllib.error import HTTPError

        try:
            with self._opener.open(self._request(), timeout=self._wanted.timeout) as answer:
                self._begin(answer.status, answer.headers)
                self._take(answer, self._size(answer.headers))
        except HTTPError as error:
            with error:
                self._refused(error.code, f"{error.code} {error.reason}")
        except (OSError, HTTPException) as error:
            raise _Broken(str(getattr(error, "reason", error)) or type(error).__name__) from error

    def _request(self) -> Request:
        from urllib.request import Request

        have = self._file.seek(0, os.SEEK_END)
        if have and not self._version:
            # Nobody can tell whether the rest would be of the same version.
            self._file.truncate(self._file.seek(0))
            have = 0
        headers: Dict[str, str] = {"User-Agent": "vitrify", "Accept-Encoding": "identity", **self._wanted.headers}
        if have:
            headers.update({"Range": f"bytes={have}-", "If-Range": self._version})
        return Request(self._wanted.url, headers=headers)  # noqa: S310  the schemes are checked by `_opener`

    def _begin(self, status: int, headers: HTTPMessage) -> None:
        have = self._file.tell()
        if status != 206:
            self._file.truncate(self._file.seek(0))
        elif not str(headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            self._version = ""
            raise _Broken("the server sent another part than it was asked for")
        tag = str(headers.get("ETag", ""))
        self._version = tag if tag and not tag.startswith("W/") else ""

    def _size(self, headers: HTTPMessage) -> int:
        length = str(headers.get("Content-Length", ""))
        return int(length) if length.isdigit() else -1

    def _take(self, answer: IO[bytes], size: int) -> None:
        taken = 0
        while True:
            chunk = answer.read(CHUNK)
            if not chunk:
                break
            with told(f"{self._wanted.url} cannot be kept"):
                self._file.write(chunk)
            taken += len(chunk)
        if size >= 0 and taken != size:
            raise _Broken(f"the answer ended after {taken} of {size} bytes")

    def _refused(self, code: int, why: str) -> None:
        if code == 416:
            self._version = ""
        if code not in (*_AGAIN, 416):
            raise self._failed(why)
        raise _Broken(why)


def _opener() -> OpenerDirector:
    from urllib.error import URLError
    from urllib.parse import urlsplit
    from urllib.request import HTTPRedirectHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        """Follows, but takes no header of the caller's to another origin, and never from https to less."""

        def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str) -> Request | None:  # noqa: PLR0913, PLR0917
            """The request that follows."""
            old, new = urlsplit(req.full_url), urlsplit(newurl)
            if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
                raise URLError(f"it leads on to {new.scheme}://{new.netloc}, which is not followed")
            following = super().redirect_request(req, fp, code, msg, headers, newurl)
            if following is not None and (old.scheme, old.netloc) != (new.scheme, new.netloc):
                following.headers = {name: value for name, value in following.headers.items() if name in _HARMLESS}
            return following

    return build_opener(Redirects)


_HARMLESS = ("User-agent", "Accept-encoding", "Range", "If-range")
"""What a stranger may be told, in the spelling of urllib."""
