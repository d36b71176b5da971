"""The kind `certificate`: a self-signed certificate or a request for one, and its key, made by OpenSSL on the target."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import due, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import ATTACHED, Attributes, Command, Completed, System

KEY_TYPES: Mapping[str, Tuple[str, ...]] = {
    "ec-p256": ("EC", "ec_paramgen_curve:P-256"),
    "ec-p384": ("EC", "ec_paramgen_curve:P-384"),
    "ed25519": ("ED25519",),
    "rsa-2048": ("RSA", "rsa_keygen_bits:2048"),
    "rsa-3072": ("RSA", "rsa_keygen_bits:3072"),
    "rsa-4096": ("RSA", "rsa_keygen_bits:4096"),
}
SUBJECT = ("CN", "O", "OU", "L", "ST", "C")
DAY, DAYS, RENEW = 86_400, 365, 30
AS_WISHED, UNKNOWN = "as wished", "cannot be told"
_HOST = re.compile(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")
_NAMES = re.compile(r"Subject Alternative Name:[^\n]*\n\s*([^\n]*)")
_PUBLIC = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def _certificate_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    subject = values.get("subject")
    for name, value in (subject if isinstance(subject, dict) else {}).items():
        if name not in SUBJECT:
            found.append(Problem(("subject", name), f"{name!r} is not a part of a subject", f"one of {', '.join(SUBJECT)}"))
        elif not str(value).strip() or not str(value).isprintable() or len(str(value)) > 64 or str(value) != str(value).strip():
            found.append(Problem(("subject", name), "a part of a subject is 1 to 64 characters that can be shown"))
    if isinstance(subject, dict) and len(str(subject.get("C", "DE"))) != 2:
        found.append(Problem(("subject", "C"), "a country is two letters"))
    found += [
        Problem(("names", str(index)), f"{name!r} is no host name and no IP address")
        for index, name in enumerate(_list(values, "names"))
        if not _name(name)
    ]
    days, renew = _days(values)
    if not 1 <= days <= 36_500:
        found.append(Problem(("days",), f"{days} days is not a time to be valid", "1 to 36500"))
    if not 0 <= renew < days:
        found.append(Problem(("renew",), f"renewed {renew} days before its end, of {days} days, it would be renewed each time"))
    if values.get("request") is True:
        found += [Problem((name,), f"`{name}` has no meaning for a request") for name in ("days", "renew") if name in values]
    return [*found, Problem(("key",), "the key cannot be in the file of the certificate")] if values.get("key") == values["path"] else found


class Certificate(Kind):
    """A certificate that signs itself, or a request that an authority can sign.

    The key is made where it is missing, and kept: it never leaves the target, and only its owner can read it. The certificate is made
    anew when it differs from what is declared, when it does not belong to the key, and `renew` days before it ends. It is not made in
    an image: whoever has the image would have the key.
    """

    name = "certificate"
    phases = frozenset({Phase.LIVE})
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "where the certificate goes", required=True),
            "key": Field(Type.PATH, "where its private key is", required=True),
            "key_type": Field(
                Type.TEXT,
                "the sort of key; where not given, the key that is there is kept whatever it is, and a new one is ec-p256",
                choices=tuple(KEY_TYPES),
            ),
            "subject": Field(Type.MAP, f"whom it is for: {', '.join(SUBJECT)}"),
            "names": Field(Type.TEXTS, "host names and IP addresses that it is for"),
            "days": Field(Type.INTEGER, f"how long it is valid; {DAYS} where not given"),
            "renew": Field(Type.INTEGER, f"so many days before its end it is made anew; {RENEW} where not given, or a third of `days`"),
            "request": Field(Type.BOOLEAN, "whether it is a request for an authority, instead of a certificate that signs itself"),
            "owner": place.OWNER,
            "group": place.GROUP,
            "mode": Field(Type.MODE, "the permissions of the certificate; 0644 where not given"),
            "key_mode": Field(Type.MODE, "the permissions of the key; 0600 where not given"),
        },
        needs_one_of=(("subject", "names"),),
        rules=(_certificate_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path of the certificate."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Subject, names and validity of the certificate, and whose both files are."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {"type": _sort(fields), "subject": _spoken(_subject(fields)), "names": ", ".join(sorted(_names(fields)))}
        found.update({**place.wished({"mode": "0644", **fields}), "key": AS_WISHED, "key_mode": _key_mode(fields), "ends": AS_WISHED})
        return found

    def observe(self, resource: Resource, system: System) -> Observation:
        """What OpenSSL says of the certificate and its key."""
        fields = resource.fields
        at_path, at_key = (system.stat(str(fields[name])) for name in ("path", "key"))
        if at_path is None and (at_key is None or not resource.absent):
            return Observation(resource.address, MISSING)
        if at_path is None or at_path.type != "file":
            return Observation(resource.address, {"type": at_path.type if at_path else "key"})
        try:
            found = _seen(fields, system)
        except TargetFailed:
            found = {"key": UNKNOWN}
        owned = {"mode": at_path.mode, "owner": at_path.owner, "group": at_path.group, "key_mode": at_key.mode if at_key else "none"}
        if at_key is not None and any(
            fields.get(name, value) != value for name, value in (("owner", at_key.owner), ("group", at_key.group))
        ):
            owned["key_mode"] = f"{at_key.mode} of {at_key.owner}:{at_key.group}"
        return Observation(resource.address, {"type": _sort(fields), **owned, **found})

    def enact(self, change: Change, system: System) -> None:
        """Make the key where it is missing, and the certificate where it differs."""
        fields = change.resource.fields
        path, key = str(fields["path"]), str(fields["key"])
        if change.action is Action.REMOVE:
            system.remove(path)
            system.remove(key)
            return
        for one in (path, key):
            place.need_parent(one, system)
            stat = system.stat(one)
            if stat is not None and stat.type not in ("file", "link"):
                raise TargetFailed(f"{one} is no file", why=f"it is a {stat.type}", hint="move it away")
        owners: Dict[str, JSON] = {name: fields[name] for name in ("owner", "group") if name in fields}
        _provide_key(fields, system, place.attributes({**owners, "mode": _key_mode(fields)}))
        attributes = place.attributes({**owners, "mode": change.after["mode"]})
        if _is_as_wished(change, self.observe(change.resource, system).properties):
            system.set_attributes(path, attributes)
            return
        system.write(path, _made(fields, system).encode(), attributes=attributes)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Certificate and key."""
        return self.owned_paths(change.resource)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """Certificate and key."""
        return (str(resource.fields["path"]), str(resource.fields["key"]))

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold both, and OpenSSL where that is declared."""
        folders = [address for path in self.owned_paths(resource) for address in place.after_folders(resource, path, others)]
        package = Address("package", "openssl")
        return tuple(dict.fromkeys([*folders, *([package] if package in others and not resource.absent else [])]))

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """OpenSSL itself may be about to be installed."""
        package = Address("package", "openssl")
        return f"{package} provides openssl" if package in earlier else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a certificate."""
        if change.action is Action.REMOVE:
            return change.because
        words = {"ends": "it ends soon, or has ended", "key": "it does not belong to its key, or the key is another sort"}
        unknown = change.before.get("key") == UNKNOWN
        told = [words.get(reason.split(" ")[0], reason) for reason in change.because]
        return ("it cannot be read as what it shall be",) if unknown else tuple(told)


def _sort(fields: Mapping[str, JSON]) -> str:
    return "request" if fields.get("request") is True else "certificate"


def _key_mode(fields: Mapping[str, JSON]) -> str:
    return str(fields.get("key_mode", "0600")).zfill(4)


def _days(values: Mapping[str, JSON]) -> Tuple[int, int]:
    days = int(str(values.get("days", DAYS)))
    return days, int(str(values.get("renew", min(RENEW, days // 3))))


def _list(fields: Mapping[str, JSON], name: str) -> List[str]:
    value = fields.get(name)
    return [str(one) for one in value] if isinstance(value, list) else []


def _name(name: str) -> str:
    """A name as OpenSSL spells it in a configuration; "" for one that is none."""
    try:
        return f"IP:{ip_address(name).compressed}"
    except ValueError:
        return f"DNS:{name}" if _HOST.fullmatch(name) and len(name) <= 253 else ""


def _names(fields: Mapping[str, JSON]) -> List[str]:
    return [_name(name) for name in _list(fields, "names")]


def _subject(fields: Mapping[str, JSON]) -> Dict[str, str]:
    declared = fields.get("subject")
    if isinstance(declared, dict):
        return {name: str(declared[name]) for name in SUBJECT if name in declared}
    return {"CN": _list(fields, "names")[0][:64]}


def _spoken(subject: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={subject[name]}" for name in sorted(subject))


def _openssl(system: System, *words: str, attached: Optional[bytes] = None) -> str:
    ended = _ask(system, *words, attached=attached)
    if ended.code != 0:
        raise TargetFailed(f"openssl {words[0]} ended with {ended.code}", why=due.last_lines(ended))
    return ended.stdout


def _ask(system: System, *words: str, attached: Optional[bytes] = None) -> Completed:
    # Without OPENSSL_CONF the host's own configuration would have a say in what is made.
    return system.run(
        Command(("openssl", *words), attached=attached, environment={"OPENSSL_CONF": "/dev/null"}, timeout=120.0, umask="0077")
    )


def _seen(fields: Mapping[str, JSON], system: System) -> Dict[str, JSON]:
    path = str(fields["path"])
    request = fields.get("request") is True
    options = ("-noout", "-subject", "-nameopt", "sep_multiline,utf8,sname", "-pubkey")
    told = _openssl(system, *(("req", "-in", path, "-text") if request else ("x509", "-in", path, "-text")), *options)
    subject = told.partition("\nsubject=" if not told.startswith("subject=") else "subject=")[2]
    parts = dict(line.strip().split("=", 1) for line in subject.split("-----BEGIN")[0].splitlines() if line.startswith(" ") and "=" in line)
    listed = _NAMES.search(told)
    names = [_read_name(name.strip()) for name in (listed.group(1).split(",") if listed else [])]
    own = _PUBLIC.search(told)
    found: Dict[str, JSON] = {"subject": _spoken(parts), "names": ", ".join(sorted(names)), "ends": AS_WISHED}
    if not request and _ask(system, "x509", "-in", path, "-noout", "-checkend", str(_days(fields)[1] * DAY)).code != 0:
        found["ends"] = "soon"
    found["key"] = AS_WISHED if own and own.group() == _public(fields, system) and _key_fits(fields, system) else "other"
    return found


def _read_name(name: str) -> str:
    sort, _, value = name.partition(":")
    return _name(value) if sort == "IP Address" else name


def _public(fields: Mapping[str, JSON], system: System) -> str:
    key = str(fields["key"])
    if system.stat(key) is None:
        return ""
    found = _PUBLIC.search(_ask(system, "pkey", "-in", key, "-pubout").stdout)
    return found.group() if found else ""


def _key_fits(fields: Mapping[str, JSON], system: System) -> bool:
    if "key_type" not in fields:
        return True
    told = _ask(system, "pkey", "-in", str(fields["key"]), "-noout", "-text_pub").stdout
    sort, _, size = str(fields["key_type"]).partition("-")
    if sort == "rsa":
        return f"({size} bit)" in told and "Modulus" in told
    return f"NIST CURVE: {size.upper().replace('P', 'P-')}" in told if sort == "ec" else "ED25519" in told


def _provide_key(fields: Mapping[str, JSON], system: System, attributes: Attributes) -> None:
    key = str(fields["key"])
    if _public(fields, system) and _key_fits(fields, system):
        system.set_attributes(key, attributes)
        return
    there = system.stat(key)
    if there is not None and there.size and "key_type" not in fields:
        raise TargetFailed(f"{key} is no private key that openssl can read", hint="move it away, and a new one is made")
    algorithm, *options = KEY_TYPES[str(fields.get("key_type", "ec-p256"))]
    made = _openssl(system, "genpkey", "-algorithm", algorithm, *(word for option in options for word in ("-pkeyopt", option)))
    system.write(key, made.encode(), attributes=attributes)


def _is_as_wished(change: Change, seen: Properties) -> bool:
    return all(seen.get(name) == change.after.get(name) for name in ("type", "subject", "names", "key", "ends"))


def _made(fields: Mapping[str, JSON], system: System) -> str:
    """The certificate or the request, as PEM."""
    signing = () if fields.get("request") is True else ("-x509", "-days", str(_days(fields)[0]))
    return _openssl(
        system, "req", "-new", "-sha256", *signing, "-key", str(fields["key"]), "-config", ATTACHED, attached=_configuration(fields)
    )


def _configuration(fields: Mapping[str, JSON]) -> bytes:
    extensions = "req_extensions" if fields.get("request") is True else "x509_extensions"
    lines = ["[req]", "prompt = no", "utf8 = yes", "string_mask = utf8only", "distinguished_name = subject", f"{extensions} = extensions"]
    lines += ["[subject]", *(f"{name} = {_escaped(value)}" for name, value in _subject(fields).items())]
    lines += ["[extensions]", "basicConstraints = critical, CA:FALSE", "extendedKeyUsage = serverAuth, clientAuth"]
    if _names(fields):
        lines += ["subjectAltName = @names", "[names]"]
        lines += [f"{name.partition(':')[0]}.{index} = {name.partition(':')[2]}" for index, name in enumerate(_names(fields), start=1)]
    return ("\n".join(lines) + "\n").encode()


def _escaped(value: str) -> str:
    return re.sub(r"([\\\"'$#;`])", r"\\\1", value)
