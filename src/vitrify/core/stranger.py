"""A kind that is not ours: the name, the class, and the one module of source that it travels as."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from vitrify.core.digest import JSONObject, digest_bytes


@dataclass(frozen=True)
class Reference:
    """Which kind is meant: the digest of its source, and the class in it. Whoever has the source can tell whether it is the one."""

    name: str
    cls: str
    digest: str
    voucher: str = ""
    """What a target keeps beside it, so that it can tell later that a control machine of this key did send it."""

    def to_json(self) -> JSONObject:
        """The form that is sent and remembered."""
        found: JSONObject = {"name": self.name, "class": self.cls, "digest": self.digest}
        return {**found, "voucher": self.voucher} if self.voucher else found

    @classmethod
    def from_json(cls, data: JSONObject) -> Reference:
        """Read what `to_json` wrote."""
        return cls(str(data["name"]), str(data["class"]), str(data["digest"]), str(data.get("voucher", "")))

    def vouched(self, key: bytes) -> str:
        """The voucher of whoever has the digest key.

        By another hash than the digests of secrets and of files that few may read: those are made of contents that anybody may
        have put in a file, and must never pass for this.
        """
        told = f"{self.name}\0{self.cls}\0{self.digest}".encode()
        return "hmac-sha512:" + hmac.new(key, told, hashlib.sha512).hexdigest()


@dataclass(frozen=True)
class Stranger:
    """A kind that somebody else wrote, with its source."""

    name: str
    cls: str
    source: bytes = field(repr=False)

    @property
    def reference(self) -> Reference:
        """What is sent ahead of the source."""
        return Reference(self.name, self.cls, digest_bytes(self.source))
