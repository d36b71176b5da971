"""The small values of a declaration's envelope: durations, hosts, bases, addresses to listen on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, TypeAlias

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, StringConstraints
from pydantic_core import PydanticCustomError, core_schema

from vitrify.core import schema
from vitrify.core.batch import Share
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.reference import Reference
from vitrify.core.schema import Field, Type, near
from vitrify.project.node import Node, spoken

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LISTEN = re.compile(r"([A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]):([0-9]{1,5})")
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MEMORY = re.compile(r"([0-9]{1,9})(MB|GB|MiB|GiB)")
_SIZES = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
SMALLEST = 4_000_000
"""Bytes: below, no program starts."""
_PROCESSORS = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,3}))?")
FEWEST = 10
"""Thousandths: the least that the kernel takes."""
_HOST = re.compile(r"[A-Za-z0-9*]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def refuse(summary: str, hint: str = "") -> NoReturn:
    """Say what is wrong with a value, in whole sentences."""
    raise PydanticCustomError("vitrify", "{summary}", {"summary": summary, "hint": hint})


def _given(value: Any) -> Any:  # noqa: ANN401  what stands in a file can be anything
    if value is None:
        refuse("nothing is written here", "give a value, or take the key out")
    return value


Given = BeforeValidator(_given)
"""A key that may be left out but not left empty."""


@dataclass(frozen=True)
class OneOf:
    """A text from a short list; `hint` is told where no choice is near."""

    choices: tuple[str, ...]
    hint: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:  # noqa: ANN401  pydantic's own words
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.choices:
            refuse(f"`{value}` is not one of {', '.join(self.choices)}", near(value, self.choices) or self.hint)
        return value


def one_of(*choices: str, hint: str = "") -> OneOf:
    """A text from a short list."""
    return OneOf(choices, hint)


def duration(value: Any) -> float:  # noqa: ANN401  what stands in a file can be anything
    """Seconds, of what is written as `500ms`, `30s`, `10m`, `1h`; refuses anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        refuse("a duration has a unit", f"as in {value}s, {value}ms or {value}m")
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        refuse("this is not a duration", "a whole number and ms, s, m or h, as in 30s")
    return int(match[1]) * _UNITS[match[2]]


def _host_share(value: Any) -> Share:  # noqa: ANN401  what stands in a file can be anything
    found = Share.parse(str(value)) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    if found is None:
        refuse("this is not a number of hosts", "a whole number or a share of all, as in 3 or 25%")
    return found


HostShare: TypeAlias = Annotated[Share, BeforeValidator(_host_share)]
"""So many hosts, written as `3` or `25%`."""

Duration: TypeAlias = Annotated[float, BeforeValidator(duration)]
"""Seconds, written as `500ms`, `30s`, `10m`, `1h`."""


def _absolute(value: str) -> str:
    for problem in schema.check(Field(Type.PATH, ""), value, path=()):
        refuse(problem.summary, problem.hint)
    return value


Absolute: TypeAlias = Annotated[str, AfterValidator(_absolute)]


def _below_root(value: str) -> str:
    if value == "/":
        refuse("`/` cannot be writable", "an instance is read-only but for the folders named here")
    return _absolute(value)


Writable: TypeAlias = Annotated[str, AfterValidator(_below_root)]


def _volume_name(value: str) -> str:
    if value.startswith("/"):
        return _below_root(value)
    if not _VOLUME.fullmatch(value):
        refuse(
            f"{value!r} is not the name of a volume",
            "letters, digits, and . _ - inside: the folder that keeps it is called so; or a folder of the host, as in /var/lib/app",
        )
    return value


VolumeName: TypeAlias = Annotated[str, AfterValidator(_volume_name)]


def _capability(value: str) -> str:
    if not re.fullmatch(r"(CAP_)?[A-Z][A-Z_]+", value):
        refuse(f"{value!r} is not a capability", "as in NET_BIND_SERVICE")
    return value.removeprefix("CAP_")


Capability: TypeAlias = Annotated[str, AfterValidator(_capability)]


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    size: int


def _memory(value: Any) -> Memory:  # noqa: ANN401  what stands in a file can be anything
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    found = int(match[1]) * _SIZES[match[2]] if match else 0
    if found < SMALLEST:
        refuse("this is no amount of memory that a process could live with", "a whole number and MB, GB, MiB or GiB, as in 256MB")
    return Memory(found)


MemorySize: TypeAlias = Annotated[Memory, BeforeValidator(_memory)]
"""Bytes, written as `256MB` or `1GiB`."""


@dataclass(frozen=True)
class Processors:
    """Thousandths of a processor."""

    thousandths: int


def _processors(value: Any) -> Processors:  # noqa: ANN401  what stands in a file can be anything
    match = _PROCESSORS.fullmatch(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    found = int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0")) if match else 0
    if found < FEWEST:
        refuse("this is not a number of processors", 'as in 2 or "0.5"')
    return Processors(found)


ProcessorShare: TypeAlias = Annotated[Processors, BeforeValidator(_processors)]
"""So many processors, written as `2` or `"0.5"`."""


def _url_path(value: str) -> str:
    if not re.fullmatch(r"/[!-~]*", value):
        refuse(f"{value!r} is not the path of a URL", "start it with /")
    return value


UrlPath: TypeAlias = Annotated[str, AfterValidator(_url_path)]


def host_name(value: str) -> str:
    """The value, where it can be the name of a host."""
    if not _HOST.fullmatch(value):
        refuse(f"{value!r} is not a host name", "as in shop.example")
    return value


HostName: TypeAlias = Annotated[str, AfterValidator(host_name)]


def listen_address(value: str) -> str:
    """The value, where it can be listened on."""
    match = _LISTEN.fullmatch(value)
    if not match or not 1 <= int(match[2]) <= 65535:
        refuse(f"{value!r} is not an address to listen on", 'as in ":8080" or "127.0.0.1:8080"')
    return value


Listen: TypeAlias = Annotated[str, AfterValidator(listen_address)]


SSH_HOST = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z_][A-Za-z0-9._-]{0,63})@)?"
    r"(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,15})?)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
"""`ssh://user@name:port`. Nothing in it can begin with `-`: the OpenSSH client would take it for an option."""
_SSH = "as in ssh://admin@db1.example or ssh://admin@db1.example:2222"


def _reach(value: str) -> str:
    if value.startswith("ssh:"):
        return _by_ssh(value)
    if value != "local" and not _folder(value, "root:"):
        known = "`local`, `ssh://user@name:port`, or `root:DIR` for a folder that is treated as a root"
        refuse(f"`{value}` is not a host", near(value, ["local"]) or known)
    return value


def _by_ssh(value: str) -> str:
    place = value.removeprefix("ssh://")
    user, at, name = place.rpartition("@")
    if at and ":" in user:
        refuse("a password has no place in a declaration", "take it out: log in with a key, and let ssh-agent or ssh_config name it")
    if "/" in name:
        refuse(f"`{value}` names a path, and a host has none", f"ssh://{place.partition('/')[0]}")
    match = SSH_HOST.fullmatch(value)
    if match is None:
        refuse(f"`{value}` is not a host that SSH reaches", _SSH)
    if match["port"] and not 1 <= int(match["port"]) <= 65535:
        refuse(f"{match['port']} is not a port", "1 to 65535; without one, ssh_config decides, or 22")
    return value


Reach: TypeAlias = Annotated[str, AfterValidator(_reach)]


_SUITE = re.compile(r"debootstrap:[a-z][a-z0-9.+-]*")


def _base(value: str) -> str:
    if value not in ("scratch", "host") and not _folder(value, "rootfs:") and not _SUITE.fullmatch(value) and not _is_image(value):
        known = ["scratch", "host", "rootfs:", "debootstrap:"]
        others = (
            "`rootfs:DIR` for an unpacked root file system, `debootstrap:SUITE` for a minimal Debian, or an image as in `debian:bookworm`"
        )
        refuse(f"`{value}` is not a base", near(value, known) or f"`scratch`, `host`, {others}")
    return value


def _is_image(value: str) -> bool:
    """Whether this names an image in a registry: with a tag or a digest, and not almost one of our own words."""
    try:
        found = Reference.parse(value)
    except UsageInvalid:
        return False
    word = value.partition(":")[0]
    return bool(found.tag or found.digest) and ("/" in value or not near(word, ["scratch", "host", "rootfs", "debootstrap"]))


BaseName: TypeAlias = Annotated[str, AfterValidator(_base)]


Word: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\s\x00]+$")]
"""A text without spaces."""


def _folder(value: str, prefix: str) -> bool:
    return value.startswith(prefix) and len(value) > len(prefix) and "\0" not in value and "\n" not in value


def raw(what: str) -> Callable[[Any], Any]:
    """A part that is read elsewhere; here only that it is a map, or a list."""

    def check(value: Any) -> Any:  # noqa: ANN401  what stands in a file can be anything
        wanted = dict if what == "map" else tuple
        if isinstance(value, Node) and not isinstance(value.value, wanted):
            refuse(f"expected a {what}, not {spoken(value)}")
        return value

    return check


RawMap: TypeAlias = Annotated[Any, BeforeValidator(raw("map"))]
RawList: TypeAlias = Annotated[Any, BeforeValidator(raw("list"))]
