"""Images without a disk: a builder and its store in memory, for tests of the stories."""

from __future__ import annotations

from vitrify.core.diagnostic import Denied, VitrifyError
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.resource import Resource
from vitrify.ports import BakeRequest, Image
from vitrify.resources.process import image_process


class MemoryImages:
    """Bakes nothing, but names it as a builder does: the same request is the same image, another one is another."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}

    async def bake(self, request: BakeRequest, *, emit: Emit = silence) -> Image:
        """The image of this request."""
        emit(Event("bake.start", Stage.STARTED, request.server))
        resources = [Resource.from_json(resource) for resource in request.resources]
        for resource in resources:
            if resource.secret:
                raise Denied(f"{resource.address} holds a secret and cannot be in an image")
        config: JSONObject = {"Labels": dict(request.labels)}
        for process in (one for one in resources if one.address.kind == "process" and not one.absent):
            config.update(_settings(image_process(process)))
        named: JSONObject = {"base": request.base, "config": config, "resources": [resource.to_json() for resource in resources]}
        image = Image(digest_of(named), 1, request.base.partition(":")[0], config)
        cached = self.has(image.digest)
        self._images[image.digest] = image
        emit(Event("bake.done", Stage.DONE, request.server, data={"image": image.digest, "bytes": 1, "cached": cached}))
        return image

    def folder(self, image: str) -> str:
        """A name for where the image is: there is no such folder."""
        if not self.has(image):
            raise VitrifyError(f"the image {image} is not here", hint="bake it again")
        return f"/memory/{image}"

    def has(self, image: str) -> bool:
        """Whether it was baked here."""
        return image in self._images


def _settings(wished: JSONObject) -> JSONObject:
    env = wished["env"]
    plain: list[JSON] = [f"{name}={value}" for name, value in sorted(env.items())] if isinstance(env, dict) else []
    return {"Entrypoint": wished["argv"], "Env": [text for text in plain if "=secret:" not in str(text)]}
