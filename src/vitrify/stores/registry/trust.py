"""Who may have signed a registry's certificate: whom the system trusts, and who is named for it where podman and docker look."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import UsageInvalid

_SHARED: Final = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


class Trust:
    """The certificates of the person who runs vitrify. In `certs.d/HOST:PORT`, `*.crt` are authorities, `*.cert` and `*.key` our own."""

    def __init__(self, environ: Mapping[str, str], *, shared: tuple[Path, ...] = _SHARED) -> None:
        self._environ = environ
        self._shared = shared

    def named(self, registry: str) -> bool:
        """Whether there are certificates for this very registry, so that it is spoken to with encryption wherever it is."""
        return any(self._files(registry, ".crt", ".cert"))

    def context(self, registry: str, base: ssl.SSLContext) -> ssl.SSLContext:
        """`base`, trusting who is named for this registry as well; UsageInvalid with the file that is no certificate."""
        for path in self._files(registry, ".crt"):
            with _told(path):
                base.load_verify_locations(cafile=path)
        for path in self._files(registry, ".cert"):
            with _told(path):
                base.load_cert_chain(path, path.with_suffix(".key"))
        return base

    def _files(self, registry: str, *kinds: str) -> Iterator[Path]:
        home = Path(self._environ.get("HOME") or Path.home())
        own = Path(self._environ.get("XDG_CONFIG_HOME") or home / ".config", "containers", "certs.d")
        for folder in (own, *self._shared):
            place = folder / registry
            if place.is_dir():
                yield from sorted(path for path in place.iterdir() if path.suffix in kinds)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # an SSLError is one
        why = str(error.strerror or error)
        raise UsageInvalid(f"{path} cannot be used for its registry", why=why, hint="it is a certificate in PEM form") from error
