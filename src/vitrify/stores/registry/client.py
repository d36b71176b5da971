"""Images in registries: the port `Registry`, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Flag
from typing import Final

from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.elsewhere import Attachment, Pushed, Referrer
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.reference import Reference
from vitrify.onhost.layout import MANIFEST, Descriptor
from vitrify.ports import Pulled
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.attachments import Attachments, artifact, attachments_of
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.documents import Platform
from vitrify.stores.registry.door import Door
from vitrify.stores.registry.fetching import Fetcher
from vitrify.stores.registry.forms import Forms
from vitrify.stores.registry.names import Names
from vitrify.stores.registry.pace import Pace
from vitrify.stores.registry.progress import Progress
from vitrify.stores.registry.pulls import Pull, document
from vitrify.stores.registry.pushes import Push
from vitrify.stores.registry.sending import CHUNK, Sender
from vitrify.stores.registry.squeezed import GZIP, Budget, Limit

_MOST_REFERRERS: Final = 64
_STALE: Final = 7 * 24 * 3600.0
"""Seconds after which nobody is expected to go on with a transfer."""
_VARIANTS: Final = {"arm": "v7", "arm64": "v8"}


@dataclass(frozen=True)
class Manner:
    """How registries are spoken with. `plain`: without encryption, also to other machines; `chunk` is in bytes."""

    plain: bool = False
    compression: str = GZIP
    chunk: int = CHUNK
    pace: Pace = field(default_factory=Pace)
    limit: Limit = field(default_factory=Limit)


class RegistryClient:
    """Registries as the OCI distribution specification describes them. Transfers under way are remembered in `folder`."""

    def __init__(
        self, store: LayoutStore, folder: Path, credentials: Credentials, *, architecture: str, manner: Manner | None = None
    ) -> None:
        self._store, self._folder, self._credentials = store, folder, credentials
        self.platform = Platform(architecture, _VARIANTS.get(architecture, ""))
        self.manner = manner or Manner()
        self._forms = Forms(store, folder / "compressed")
        self._names = Names(store)

    def push(self, image: str, to: Reference, *, emit: Emit = silence) -> Pushed:
        """Have this image there under this tag."""
        if not to.tag or to.digest:
            raise UsageInvalid(f"{to} names no tag to push to", hint=f"as in {to.registry}/{to.repository}:1.0")
        with self._door(to) as door:
            progress = Progress("push", str(to), emit, monotonic=door.pace.monotonic)
            push = Push(door, self._sender(door, to), self._store, self._forms, progress, to, self.manner.compression)
            pushed = push.carry_out(image)
        for kind, documents in attachments_of(self._store.folder(image), image):
            self.attach(to.at(pushed.manifest), kind, documents)
            emit(Event("push.attached", Stage.DONE, kind))
        self._names.note(image, to)
        return pushed

    def pull(self, reference: Reference, *, emit: Emit = silence) -> Pulled:
        """Have the image here."""
        with self._door(reference) as door:
            progress = Progress("pull", str(reference), emit, monotonic=door.pace.monotonic)
            fetcher, budget = self._fetcher(door, reference), Budget(self.manner.limit)
            pulled = Pull(door, fetcher, self._store, self._forms, progress, reference, self.platform, budget).carry_out()
        self._bring_along(pulled, emit)
        self._names.note(pulled.image.digest, replace(reference, digest=""))
        return pulled

    def _bring_along(self, pulled: Pulled, emit: Emit) -> None:
        """Keep what belongs to the image there as belonging to it here. It vouches for nothing by being there: `verify` checks it."""
        digest = pulled.image.digest
        subject = Descriptor(MANIFEST, digest, self._store.measured(digest) or 0)
        try:
            for referrer in self.referrers(pulled.reference)[:_MOST_REFERRERS]:
                documents = self.attached(pulled.reference, referrer.digest)
                self._store.attach(artifact(referrer.artifact_type, documents, subject), [b"{}", *(one.content for one in documents)])
                emit(Event("pull.attached", Stage.DONE, referrer.artifact_type))
        except VitrifyError as error:
            emit(Event("pull.attached", Stage.NOTICE, str(pulled.reference), f"what belongs to the image did not come along: {error}"))

    def resolve(self, reference: Reference) -> str:
        """The digest that the name stands for now."""
        with self._door(reference) as door:
            return document(door, reference).digest

    def attach(self, subject: Reference, artifact_type: str, blobs: Sequence[Attachment]) -> str:
        """Have these documents there as belonging to the subject."""
        with self._attachments(subject) as attachments:
            return attachments.attach(subject, artifact_type, blobs)

    def referrers(self, subject: Reference, *, artifact_type: str = "") -> tuple[Referrer, ...]:
        """What belongs to the subject."""
        with self._attachments(subject) as attachments:
            return attachments.referrers(subject, artifact_type=artifact_type)

    def attached(self, subject: Reference, referrer: str) -> tuple[Attachment, ...]:
        """The documents of one referrer."""
        with self._attachments(subject) as attachments:
            return attachments.attached(subject, referrer)

    def _clear_stale(self) -> None:
        """Remove what nobody went on with: transfers that were not touched for a week."""
        for path in (self._folder / "transfers").glob("*.*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _STALE:
                    path.unlink()

    @contextmanager
    def _door(self, reference: Reference) -> Iterator[Door]:
        self._clear_stale()
        pace = replace(self.manner.pace, stopped=Flag())  # one command's failure is not the next one's
        door = Door(reference.registry, self._credentials, plain=self.manner.plain, pace=pace)
        try:
            yield door
        finally:
            door.close()

    @contextmanager
    def _attachments(self, subject: Reference) -> Iterator[Attachments]:
        with self._door(subject) as door, self._store.work() as work:
            yield Attachments(door, self._sender(door, subject), self._fetcher(door, subject), work)

    def _sender(self, door: Door, reference: Reference) -> Sender:
        return Sender(door, reference.repository, self._folder / "transfers", chunk=self.manner.chunk)

    def _fetcher(self, door: Door, reference: Reference) -> Fetcher:
        return Fetcher(door, reference.repository, self._folder / "transfers")
