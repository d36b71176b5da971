"""What every Transport promises, and every Session that it opens, as tests. An adapter is done when a subclass passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from vitrify.core.declaration import Content, Host
from vitrify.core.diagnostic import TargetFailed, TargetUnreachable, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Event
from vitrify.core.resource import Address, Resource
from vitrify.ports import Session, Transport

Result = TypeVar("Result")


def run(work: Coroutine[object, object, Result]) -> Result:
    """To the end, in a loop of its own."""
    return asyncio.run(work)


@asynccontextmanager
async def opened(transport: Transport, host: Host) -> AsyncIterator[Session]:
    """A session that is closed afterwards."""
    session = await transport.connect(host)
    try:
        yield session
    finally:
        await session.close()


class TransportSuite:
    """Subclass it, and give it fixtures `transport` and `host`: a host whose payload can write to `folder` of this machine."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A root that the payload works on."""
        root = tmp_path / "root"
        (root / "etc").mkdir(parents=True)
        return root

    def scope(self, folder: Path) -> JSONObject:
        """The scope argument for that root."""
        return {
            "target": "image",
            "root": str(folder),
            "lower": [],
            "project": "p",
            "server": "web",
            "memory": "",
            "bwrap": "",
            "key": "",
        }

    def bake(self, folder: Path, *contents: bytes) -> JSONObject:
        """Arguments that put each content into a file of its own."""
        wishes: list[JSON] = []
        for number, content in enumerate(contents):
            path = f"/etc/{number}"
            wishes.append(Resource(Address("file", path), {"path": path, "content": digest_bytes(content)}).to_json())
        return {"scope": self.scope(folder), "resources": wishes}

    def test_calls_are_answered_one_after_the_other(self, transport: Transport, host: Host, folder: Path) -> None:
        async def twice() -> list[JSONObject]:
            async with opened(transport, host) as session:
                return [await session.call("bake", self.bake(folder)) for _ in range(2)]

        assert [answer["results"] for answer in run(twice())] == [[], []]

    def test_calls_made_at_once_take_turns(self, transport: Transport, host: Host, folder: Path) -> None:
        async def at_once() -> list[JSONObject]:
            async with opened(transport, host) as session:
                return await asyncio.gather(*(session.call("bake", self.bake(folder)) for _ in range(5)))

        assert len(run(at_once())) == 5

    def test_a_content_is_sent_when_it_is_asked_for(self, transport: Transport, host: Host, folder: Path) -> None:
        large = bytes(range(256)) * 20_000

        async def with_contents() -> JSONObject:
            async with opened(transport, host) as session:
                contents = {digest_bytes(content): Content(data=content) for content in (b"small", large)}
                return await session.call("bake", self.bake(folder, b"small", large), contents=contents)

        run(with_contents())

        assert (folder / "etc/0").read_bytes() == b"small"
        assert (folder / "etc/1").read_bytes() == large

    def test_a_content_of_a_file_is_read_only_when_it_is_asked_for(
        self, transport: Transport, host: Host, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "wanted").write_bytes(b"wanted")
        contents = {
            digest_bytes(b"wanted"): Content(path=str(tmp_path / "wanted")),
            digest_bytes(b"unwanted"): Content(path=str(tmp_path / "there is no such file")),
        }

        async def with_contents() -> JSONObject:
            async with opened(transport, host) as session:
                return await session.call("bake", self.bake(folder, b"wanted"), contents=contents)

        run(with_contents())

        assert (folder / "etc/0").read_bytes() == b"wanted"

    def test_a_content_that_cannot_be_had_fails_what_asked_and_the_session_goes_on(
        self, transport: Transport, host: Host, folder: Path
    ) -> None:
        async def without_contents() -> tuple[JSONObject, JSONObject]:
            async with opened(transport, host) as session:
                return await session.call("bake", self.bake(folder, b"nobody has this")), await session.call("bake", self.bake(folder))

        failed, fine = run(without_contents())

        assert "nobody has the content" in str(failed["results"])
        assert fine["results"] == []

    def test_events_arrive_in_order_and_before_the_answer(self, transport: Transport, host: Host, folder: Path) -> None:
        heard: list[Event] = []

        async def listening() -> None:
            async with opened(transport, host) as session:
                await session.call("bake", self.bake(folder, b"1"), contents={digest_bytes(b"1"): Content(data=b"1")}, emit=heard.append)

        run(listening())

        assert [(event.stage.value, event.subject) for event in heard] == [("started", "file:/etc/0"), ("done", "file:/etc/0")]

    def test_an_error_of_the_target_is_raised_here_and_the_session_goes_on(self, transport: Transport, host: Host, folder: Path) -> None:
        async def failing() -> JSONObject:
            async with opened(transport, host) as session:
                with pytest.raises(UsageInvalid, match="no call 'no such call'"):
                    await session.call("no such call", {})
                with pytest.raises(UsageInvalid, match="does not say its scope"):
                    await session.call("bake", {})
                with pytest.raises((TargetFailed, UsageInvalid)):
                    await session.call("bake", self.bake(folder / "missing"))
                return await session.call("bake", self.bake(folder))

        assert run(failing())["results"] == []

    def test_closing_twice_is_harmless_and_a_closed_session_is_unreachable(self, transport: Transport, host: Host, folder: Path) -> None:
        async def closing() -> None:
            session = await transport.connect(host)
            await session.close()
            await session.close()
            with pytest.raises(TargetUnreachable):
                await session.call("bake", self.bake(folder))

        run(closing())

    def test_a_cancelled_call_ends_soon_and_takes_its_session_along(self, transport: Transport, host: Host, folder: Path) -> None:
        arrived = asyncio.Event()

        def emit(_: Event) -> None:
            arrived.set()

        async def cancelled() -> float:
            session = await transport.connect(host)
            asked = [str(number).encode() for number in range(2000)]
            contents = {digest_bytes(content): Content(data=content) for content in asked}
            call = asyncio.ensure_future(session.call("bake", self.bake(folder, *asked), contents=contents, emit=emit))
            await arrived.wait()
            started = asyncio.get_running_loop().time()
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call
            took = asyncio.get_running_loop().time() - started
            with pytest.raises(TargetUnreachable):
                await session.call("bake", self.bake(folder))
            await session.close()
            return took

        assert run(cancelled()) < 3
