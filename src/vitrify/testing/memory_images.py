"""Images without a disk: a builder and its store in memory, for tests of the stories."""

from __future__ import annotations

from collections.abc import Sequence

from vitrify.core.diagnostic import DeclarationInvalid, Denied, Diagnostic, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_of
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.locked import Deb, Inputs
from vitrify.core.resource import Resource
from vitrify.onhost.layout import LABEL_FINGERPRINT
from vitrify.ports import BakeRequest, Chosen, Ground, Image, Offer
from vitrify.resources.process import image_process


class MemoryImages:
    """Bakes nothing, but names it as a builder does: the same request is the same image, another one is another.

    `folders` are the bases that there are besides `scratch` and `host`, each with what stands in it. `offered` is what packages
    can be had, each with its version: a base that is made of packages consists of the one called `base`.
    """

    def __init__(self) -> None:
        self.offered: dict[str, str] = {}
        self._images: dict[str, Image] = {}
        self._packed: set[str] = set()
        self._kept: set[Deb] = set()
        self._touched = 0
        self.folders: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        """Reference of a base -> the digest that it stands for."""

    async def bake(self, request: BakeRequest, *, emit: Emit = silence) -> Image:
        """The image of this request."""
        emit(Event("bake.start", Stage.STARTED, request.server))
        resources = [Resource.from_json(resource) for resource in request.resources]
        for resource in resources:
            if resource.secret:
                raise Denied(f"{resource.address} holds a secret and cannot be in an image")
        if request.inputs is not None and request.inputs.base not in ("", request.base):
            raise DeclarationInvalid([Diagnostic(f"what is pinned was chosen upon {request.inputs.base}, not upon {request.base}")])
        ground = await self.ground(request.base)
        labels: JSONObject = dict(request.labels)
        if ground is not None:
            self._packed.add(ground.seen)
            labels[LABEL_FINGERPRINT] = _layer(self.folders[request.base])
        config: JSONObject = {"Labels": labels}
        for process in (one for one in resources if one.address.kind == "process" and not one.absent):
            config.update(_settings(image_process(process)))
        if request.inputs is not None:
            self._refuse_lost(request.inputs)
        pinned: JSON = [one.digest for one in (request.inputs, request.base_inputs) if one is not None]
        named: JSONObject = {
            "pinned": pinned,
            "base": request.base,
            "config": config,
            "resources": [resource.to_json() for resource in resources],
        }
        image = Image(digest_of(named), 1, request.base.partition(":")[0], config, {digest_of(named): 1})
        cached = self.has(image.digest)
        self._images[image.digest] = image
        emit(Event("bake.done", Stage.DONE, request.server, data={"image": image.digest, "bytes": 1, "cached": cached}))
        return image

    def _refuse_lost(self, inputs: Inputs) -> None:
        for deb in inputs.debs:
            if self.offered.get(deb.name) != deb.version and deb not in self._kept:
                raise DeclarationInvalid([Diagnostic(f"{deb.name} {deb.version} is pinned, and cannot be had any more")])
        self._kept.update(inputs.debs)

    async def choose(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen:
        """Every package that the resources name, as it is offered now."""
        emit(Event("choose", Stage.STARTED, request.server))
        named = [Resource.from_json(one).address for one in request.resources]
        return self._chosen(request.base, [address.name for address in named if address.kind == "package"])

    async def choose_base(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen | None:
        """The package `base`, as it is offered now; what a tag stands for."""
        if request.base.startswith("oci:"):
            return Chosen(Inputs(), digest=self.tags[request.base.removeprefix("oci:").partition("@")[0]])
        if not request.base.startswith("debootstrap:"):
            return None
        emit(Event("choose.base", Stage.STARTED, request.base))
        return self._chosen("", ["base"])

    async def offers(self, request: BakeRequest, names: Sequence[str]) -> tuple[Offer, ...]:
        """What is offered of these."""
        del request
        found = ((name, self.offered[name]) for name in names if name in self.offered)
        return tuple(Offer(name, version, security=version.endswith("+security")) for name, version in found)

    def _chosen(self, base: str, names: list[str]) -> Chosen:
        debs = tuple(_deb(name, self.offered[name]) for name in names)
        self._kept.update(debs)
        secure = frozenset((deb.name, deb.version) for deb in debs if deb.version.endswith("+security"))
        return Chosen(Inputs.of(base, debs), secure)

    async def ground(self, base: str) -> Ground | None:
        """The base as it is now; its layer once it was baked upon."""
        if base.startswith(("debootstrap:", "oci:")) or base in ("scratch", "host"):
            return None
        if base not in self.folders:
            raise UsageInvalid(f"the base {base} is not a folder")
        seen = digest_of([base, self._touched, self.folders[base]])
        return Ground(seen, _layer(self.folders[base]) if seen in self._packed else "")

    def touch(self) -> None:
        """Every base looks as if it was written to, though nothing else stands in it."""
        self._touched += 1

    def folder(self, image: str) -> str:
        """A name for where the image is: there is no such folder."""
        if not self.has(image):
            raise VitrifyError(f"the image {image} is not here", hint="bake it again")
        return f"/memory/{image}"

    def has(self, image: str) -> bool:
        """Whether it was baked here."""
        return image in self._images

    def image(self, digest: str) -> Image | None:
        """One that was baked or brought here."""
        return self._images.get(digest)

    def images(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted(self._images))

    def bring(self, image: Image) -> None:
        """Have one here that was baked elsewhere."""
        self._images[image.digest] = image


def _deb(name: str, version: str) -> Deb:
    return Deb(name, version, "all", digest_of([name, version]).removeprefix(PLAIN), len(version))


def _layer(content: str) -> str:
    return digest_of(["layer", content])


def _settings(wished: JSONObject) -> JSONObject:
    env = wished["env"]
    plain: list[JSON] = [f"{name}={value}" for name, value in sorted(env.items())] if isinstance(env, dict) else []
    return {"Entrypoint": wished["argv"], "Env": [text for text in plain if "=secret:" not in str(text)]}
