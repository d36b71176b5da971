"""Pushes an image: layers in a compressed form, the config as it is, and last a manifest that names them and the image's identity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import canonical, digest_bytes
from vitrify.core.elsewhere import Pushed
from vitrify.core.reference import Reference
from vitrify.onhost.layout import CONFIG, MANIFEST, Descriptor, read_manifest
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.documents import IDENTITY
from vitrify.stores.registry.door import Ask, Door
from vitrify.stores.registry.forms import Form, Forms
from vitrify.stores.registry.progress import Progress
from vitrify.stores.registry.sending import Parcel, Sender, pushing
from vitrify.stores.registry.together import together


@dataclass(frozen=True)
class Push:
    """One push: whereto, from which store, and how layers are compressed where that has not been done yet."""

    door: Door
    sender: Sender
    store: LayoutStore
    forms: Forms
    progress: Progress
    to: Reference
    compression: str

    def carry_out(self, image: str) -> Pushed:
        """Send what the registry lacks, then the manifest: a push that ends early leaves no image there."""
        layout = self.store.folder(image)
        manifest = read_manifest(layout, image)
        sent = together(self._layer, manifest.layers, pace=self.door.pace)
        config = self.store.blob(manifest.config.digest)
        sent_config = self._blob(Parcel(config, manifest.config.digest, manifest.config.size))
        document = canonical(
            {
                "annotations": {IDENTITY: image},
                "config": Descriptor(CONFIG, manifest.config.digest, manifest.config.size).to_json(),
                "layers": [blob.to_json() for blob, _ in sent],
                "mediaType": MANIFEST,
                "schemaVersion": 2,
            }
        )
        put_manifest(self.door, self.to, document)
        digest = digest_bytes(document)
        return Pushed(image, self.to, digest, sum(size for _, size in sent) + sent_config, sum(1 for _, size in sent if size))

    def _layer(self, layer: Descriptor) -> tuple[Descriptor, int]:
        """The form in which the registry has this layer now, and how many bytes were sent for that."""
        known = self.forms.of(layer.digest)
        for form in known:
            if self._is_there(layer, form):
                return form.blob, 0
        self.progress.expect(layer.size)
        kept = [(form, path) for form in known if (path := self.forms.file(form))]
        form, path = kept[0] if kept else self.forms.made(layer.digest, compression=self.compression, saw=self._moved)
        if not kept and self._is_there(layer, form):
            return form.blob, 0
        return form.blob, self._sent(layer, form, path)

    def _is_there(self, layer: Descriptor, form: Form) -> bool:
        """Whether the repository has this form, or takes it over from a neighbour."""
        there = self.sender.has(form.blob.digest)
        how = "is there already"
        if not there:
            sources = form.sources(self.to.registry, but=self.to.repository)[:3]
            source = next((one for one in sources if self.sender.mounted(form.blob.digest, source=one)), "")
            there, how = bool(source), f"taken over from {source}"
        if there:
            self.progress.done(form.blob.digest, how, form.blob.size)
            self.forms.note(layer.digest, form.blob, place=self._place)
        return there

    def _sent(self, layer: Descriptor, form: Form, path: Path) -> int:
        self.progress.expect(form.blob.size)
        try:
            self.sender.send(Parcel(path, form.blob.digest, form.blob.size), self.progress.moved)
        except TargetFailed:
            # Whether the registry or our own file is at fault cannot be told: made again, it is right at least here.
            self.forms.forget(layer.digest, form.blob)
            raise
        self.progress.done(form.blob.digest, "sent", form.blob.size)
        self.forms.note(layer.digest, form.blob, place=self._place)
        return form.blob.size

    def _blob(self, parcel: Parcel) -> int:
        if self.sender.has(parcel.digest):
            return 0
        self.progress.expect(parcel.size)
        self.sender.send(parcel, self.progress.moved)
        return parcel.size

    def _moved(self, count: int) -> None:
        self.door.pace.go_on()
        self.progress.moved(count)

    @property
    def _place(self) -> str:
        return f"{self.to.registry}/{self.to.repository}"


def put_manifest(door: Door, to: Reference, document: bytes, *, kind: str = MANIFEST) -> str:
    """Publish a manifest under a tag, or its digest; what the registry says of its subject, "" where it does not know about that."""
    ask = Ask(
        "PUT", f"/v2/{to.repository}/manifests/{to.name}", pushing(to.repository), {"Content-Type": kind}, lambda: [document], len(document)
    )
    with door.open(ask) as reply:
        if reply.status not in (201, 202, 204):
            raise reply.failure(f"pushing the manifest to {to}")
        return reply.header("oci-subject")
