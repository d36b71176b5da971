"""The payload answers every call, tells errors in words, and hands contents on only when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from vitrify.core.diagnostic import Denied, TargetFailed, error_to_json
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.step import carry_on
from vitrify.core.wire import VERSION, Blob, Message, encode, receive
from vitrify.onhost.context import Context
from vitrify.onhost.runner import Channel, Runner, get_ready
from vitrify.resources.registry import all_kinds

Call = Callable[[Context, JSONObject], JSONObject]


def talk(*messages: Message, call: Call, send: Callable[[bytes], object] | None = None) -> list[Message]:
    """What a payload with this one call says to these messages; its greeting is left out."""
    source, said = io.BytesIO(b"".join(map(encode, messages))), io.BytesIO()
    channel = Channel(source.read, send or said.write)
    Runner(channel, all_kinds(), calls=lambda name: call if name == "act" else None, reached=carry_on).serve()
    said.seek(0)
    heard: list[Message] = []
    while said.tell() < len(said.getvalue()):
        heard.append(receive(said.read))
    return heard[1:]


def asked(name: str = "act", **arguments: JSON) -> JSONObject:
    return {"call": name, "id": 7, "arguments": arguments}


def failing(error: Exception) -> Call:
    def call(_: Context, __: JSONObject) -> JSONObject:
        raise error

    return call


def told(error: Exception) -> JSONObject:
    (answer,) = talk(asked(), call=failing(error))
    assert isinstance(answer, dict)
    found = answer["error"]
    assert isinstance(found, dict)
    return found


def test_it_says_who_it_is_before_anything_else() -> None:
    said = io.BytesIO()
    Runner(Channel(io.BytesIO().read, said.write), all_kinds(), calls=lambda _: None, reached=carry_on).serve()

    hello = receive(io.BytesIO(said.getvalue()).read)

    assert isinstance(hello, dict)
    assert isinstance(hello["hello"], dict)
    assert hello["hello"]["version"] == VERSION


def test_an_answer_carries_the_number_of_its_call() -> None:
    assert talk(asked(word="hello"), call=lambda _, arguments: {"echo": arguments["word"]}) == [{"id": 7, "return": {"echo": "hello"}}]


def test_events_come_before_the_answer() -> None:
    def call(context: Context, _: JSONObject) -> JSONObject:
        context.emit(Event("change", Stage.DONE, "file:/etc/motd"))
        return {}

    event, answer = talk(asked(), call=call)

    assert isinstance(event, dict)
    assert isinstance(event["event"], dict)
    assert (event["event"]["subject"], answer) == ("file:/etc/motd", {"id": 7, "return": {}})


def test_a_content_is_asked_for_by_its_digest() -> None:
    heard = talk(asked(), Blob("sha256:ab", b"content"), call=lambda context, _: {"got": context.blob("sha256:ab").decode()})

    assert heard == [{"id": 7, "need": ["sha256:ab"]}, {"id": 7, "return": {"got": "content"}}]


def test_a_content_that_is_refused_raises_what_the_other_side_says() -> None:
    refusal: JSONObject = {"refused": "sha256:ab", "error": {key: str(value) for key, value in error_to_json(Denied("no")).items()}}

    _, answer = talk(asked(), refusal, call=lambda context, _: {"got": context.blob("sha256:ab").decode()})

    assert isinstance(answer, dict)
    assert answer["error"] == {"type": "Denied", "summary": "no", "why": "", "hint": ""}


def test_another_content_than_the_one_asked_for_is_an_error() -> None:
    _, answer = talk(asked(), Blob("sha256:cd", b""), call=lambda context, _: {"got": context.blob("sha256:ab").decode()})

    assert "something else came" in str(answer)


@pytest.mark.parametrize(
    ("error", "kind", "summary", "why"),
    [
        (Denied("not allowed", why="policy"), "Denied", "not allowed", "policy"),
        (OSError(28, "No space left on device", "/etc/motd"), "TargetFailed", "/etc/motd refused", "No space left on device"),
        (PermissionError(13, "Permission denied"), "TargetFailed", "the target refused", "Permission denied"),
    ],
)
def test_errors_arrive_as_what_they_are(error: Exception, kind: str, summary: str, why: str) -> None:
    found = told(error)

    assert (found["type"], found["summary"], found["why"]) == (kind, summary, why)


def test_a_full_disk_comes_with_what_to_do() -> None:
    assert "free space" in str(told(OSError(28, "No space left on device"))["hint"])


def test_a_mistake_of_ours_is_one_line_and_no_traceback() -> None:
    found = told(ZeroDivisionError("division by zero"))

    assert found["type"] == "TargetFailed"
    assert found["summary"] == "internal error on the target"
    assert str(found["why"]).startswith("ZeroDivisionError: division by zero in call, line ")
    assert "\n" not in str(found["why"])


def test_after_an_error_the_next_call_is_answered() -> None:
    answers = talk(asked("nothing"), asked(), call=lambda _, __: {})

    assert [sorted(answer) for answer in answers if isinstance(answer, dict)] == [["error", "id"], ["id", "return"]]


def test_a_channel_that_ends_ends_the_call_that_waits_for_a_content() -> None:
    reached: list[str] = []

    def call(context: Context, _: JSONObject) -> JSONObject:
        context.blob("sha256:ab")
        reached.append("went on")
        return {}

    assert talk(asked(), call=call) == [{"id": 7, "need": ["sha256:ab"]}]
    assert reached == []


def test_a_channel_that_nobody_reads_does_not_stop_a_call() -> None:
    ended: list[str] = []

    def broken(_: bytes) -> None:
        raise BrokenPipeError

    def call(context: Context, _: JSONObject) -> JSONObject:
        context.emit(Event("change", Stage.DONE))
        ended.append("at the end")
        return {}

    talk(asked(), call=call, send=broken)

    assert ended == ["at the end"]


def test_an_error_class_that_the_wire_knows_keeps_its_name() -> None:
    assert told(TargetFailed("x"))["type"] == "TargetFailed"


def test_a_payload_gets_ready_only_until_it_is_asked() -> None:
    answers = [False, False, False, True]

    get_ready(all_kinds(), asked=lambda: answers.pop(0))

    assert not answers
