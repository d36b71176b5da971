"""Documents that belong to an image in a registry: by its list of referrers, or by a tag where it keeps no such list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, PLAIN, JSONObject, canonical, digest_bytes
from vitrify.core.elsewhere import Attachment, Referrer
from vitrify.core.reference import Reference
from vitrify.onhost.layout import MANIFEST, Attached, Descriptor, attached, read_blob
from vitrify.stores.registry.documents import EMPTY, INDEX, Listed, media_type, read_index, read_json, read_manifest
from vitrify.stores.registry.door import SMALL, Ask, Door
from vitrify.stores.registry.fetching import Fetcher, pulling
from vitrify.stores.registry.pulls import document
from vitrify.stores.registry.pushes import put_manifest
from vitrify.stores.registry.sending import Parcel, Sender

_NOTHING: Final = b"{}"
_TRIES: Final = 3
_MOST_PAGES: Final = 50


def attachments_of(layout: str, image: str) -> tuple[tuple[str, tuple[Attachment, ...]], ...]:
    """What belongs to an image in a layout here: its type and its documents."""
    return tuple((one.type, _documents(layout, one)) for one in attached(layout, image))


def _documents(layout: str, one: Attached) -> tuple[Attachment, ...]:
    return tuple(Attachment(blob.media_type, read_blob(layout, blob), one.annotations) for blob in one.layers)


@dataclass(frozen=True)
class Attachments:
    """What belongs to the images of one repository. `work` is an empty folder for blobs on their way."""

    door: Door
    sender: Sender
    fetcher: Fetcher
    work: Path

    def attach(self, subject: Reference, artifact_type: str, blobs: Sequence[Attachment]) -> str:
        """Send the documents, then a manifest that names the subject; then the tag's list, if the registry keeps none itself."""
        _refuse_without_digest(subject)
        found = document(self.door, subject.at(subject.digest))
        for content in (_NOTHING, *(blob.content for blob in blobs)):
            self._send(content)
        kind = media_type(read_json(found.content, str(subject)), found.told)
        manifest = artifact(artifact_type, blobs, Descriptor(kind, subject.digest, len(found.content)))
        digest = digest_bytes(manifest)
        told = put_manifest(self.door, Reference(subject.registry, subject.repository, digest=digest), manifest)
        if told != subject.digest:
            self._list(subject, {**Descriptor(MANIFEST, digest, len(manifest)).to_json(), "artifactType": artifact_type})
        return digest

    def _send(self, content: bytes) -> None:
        digest = digest_bytes(content)
        if not self.sender.has(digest):
            path = self.work / digest.removeprefix(PLAIN)
            path.write_bytes(content)
            self.sender.send(Parcel(path, digest, len(content)), lambda _: None)

    def _list(self, subject: Reference, row: JSONObject) -> None:
        """Enter a referrer in the tag's list. Two who do so at once may lose one of them, so that it is looked for afterwards."""
        tag = _tag(subject)
        for _ in range(_TRIES):
            rows = {listed.blob.digest: _row(listed) for listed in self._tagged(subject)}
            if str(row["digest"]) in rows:
                return
            merged: list[JSON] = [*rows.values(), row]
            put_manifest(self.door, tag, canonical({"manifests": merged, "mediaType": INDEX, "schemaVersion": 2}), kind=INDEX)
        if str(row["digest"]) not in {listed.blob.digest for listed in self._tagged(subject)}:
            raise TargetFailed(f"the list of what belongs to {subject} is changed by somebody else all the time", hint="try again")

    def referrers(self, subject: Reference, *, artifact_type: str) -> tuple[Referrer, ...]:
        """What the registry lists, or the tag where it lists nothing itself."""
        _refuse_without_digest(subject)
        rows = self._asked(subject, artifact_type)
        found = self._tagged(subject) if rows is None else rows
        fit = [row for row in found if artifact_type in ("", row.artifact_type)]
        return tuple(Referrer(row.blob.digest, row.artifact_type, row.blob.size, row.annotations) for row in fit)

    def _asked(self, subject: Reference, artifact_type: str) -> tuple[Listed, ...] | None:
        """The registry's own list, page by page; None where it keeps none."""
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        url = f"/v2/{subject.repository}/referrers/{subject.digest}{query}"
        rows: list[Listed] = []
        for _ in range(_MOST_PAGES):
            with self.door.open(Ask("GET", url, pulling(subject.repository), {"Accept": INDEX})) as reply:
                if reply.status in (400, 404, 405) and not rows:
                    return None
                if reply.status != 200:
                    raise reply.failure(f"listing what belongs to {subject}")
                rows += read_index(reply.body(SMALL), told=reply.header("content-type"))
                following = _next(reply.header("link"))
                if not following:
                    return tuple(rows)
                url = self.door.resolve(following, base=reply.url)
        raise IntegrityFailed(f"the list of what belongs to {subject} does not end", why=f"more than {_MOST_PAGES} pages")

    def _tagged(self, subject: Reference) -> tuple[Listed, ...]:
        tag = _tag(subject)
        ask = Ask("GET", f"/v2/{tag.repository}/manifests/{tag.tag}", pulling(tag.repository), {"Accept": INDEX})
        with self.door.open(ask) as reply:
            if reply.status == 404:
                return ()
            if reply.status != 200:
                raise reply.failure(f"listing what belongs to {subject}")
            return read_index(reply.body(SMALL), told=reply.header("content-type"))

    def attached(self, subject: Reference, referrer: str) -> tuple[Attachment, ...]:
        """The documents, each checked against its digest."""
        _refuse_without_digest(subject)
        found = document(self.door, subject.at(referrer))
        manifest = read_manifest(found.content, told=found.told)
        if manifest.subject != subject.digest:
            raise IntegrityFailed(f"{referrer} does not belong to {subject.digest}", why=f"it names {manifest.subject or 'nothing'}")
        return tuple(Attachment(blob.media_type, self._content(blob), notes) for blob, notes in manifest.documents)

    def _content(self, blob: Descriptor) -> bytes:
        if blob.size > SMALL * 16:
            raise Denied(f"the document {blob.digest} is larger than any", why=f"{blob.size} bytes")
        with self.fetcher.fetched(blob, lambda _: None) as file:
            return file.read()


def artifact(artifact_type: str, blobs: Sequence[Attachment], subject: Descriptor) -> bytes:
    """The manifest of documents that belong to a subject: equal ones are equal bytes."""
    empty = Descriptor(EMPTY, digest_bytes(_NOTHING), len(_NOTHING)).to_json()
    rows: list[JSON] = [_blob(blob) for blob in blobs] or [empty]
    return canonical(
        {
            "artifactType": artifact_type,
            "config": empty,
            "layers": rows,
            "mediaType": MANIFEST,
            "schemaVersion": 2,
            "subject": subject.to_json(),
        }
    )


def _blob(blob: Attachment) -> JSONObject:
    row = Descriptor(blob.media_type, digest_bytes(blob.content), len(blob.content)).to_json()
    annotations: JSONObject = dict(blob.annotations)
    return {**row, **({"annotations": annotations} if annotations else {})}


def _row(listed: Listed) -> JSONObject:
    kind: JSONObject = {"artifactType": listed.artifact_type} if listed.artifact_type else {}
    annotations: JSONObject = dict(listed.annotations)
    return {**listed.blob.to_json(), **kind, **({"annotations": annotations} if annotations else {})}


def _tag(subject: Reference) -> Reference:
    """The tag that stands for a list of referrers where a registry keeps none."""
    return Reference(subject.registry, subject.repository, tag=subject.digest.replace(":", "-"))


def _next(link: str) -> str:
    address, _, rest = link.partition(">")
    return address.removeprefix("<") if 'rel="next"' in rest.replace(" ", "") or "rel=next" in rest.replace(" ", "") else ""


def _refuse_without_digest(subject: Reference) -> None:
    if not subject.digest:
        raise UsageInvalid(f"{subject} names no manifest by its digest", why="what belongs to a tag today may not tomorrow")
