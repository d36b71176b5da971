"""The places that a secret can come from. Whatever goes wrong is told without a value, and without what a program said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Protocol

from vitrify.core.diagnostic import DeclarationInvalid, VitrifyError
from vitrify.project.vault import HEADER, opened

PATIENCE = 60.0
"""Seconds that a program has to tell a secret."""


@dataclass(frozen=True)
class Means:
    """What reading a secret draws on. `secret` gives another one: what opens a secret is itself a secret."""

    folder: Path
    environ: Mapping[str, str]
    secret: Callable[[str], str]

    def content(self, path: str) -> bytes:
        """The bytes of a file; `~` is the home folder, any other path starts at the project."""
        try:
            return self._path(path).read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except ValueError:
            reason = "its path is not valid"
        raise VitrifyError(f"{path}: {reason}")

    def text(self, path: str) -> str:
        """The same as text."""
        return _decoded(self.content(path), f"{path}: its content is not text")

    def output(self, argv: Sequence[str]) -> bytes:
        """What a program prints, run in the folder of the project; its complaints are withheld, for they may quote the secret."""
        program = which(argv[0], path=self.environ.get("PATH"))
        if program is None:
            raise VitrifyError(f"there is no program `{argv[0]}`", hint="install it, or write its path")
        failed = f"`{argv[0]}` failed"
        try:
            done = subprocess.run(
                [program, *argv[1:]],
                cwd=self.folder,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            failed = f"`{argv[0]}` did not end within {PATIENCE:.0f} seconds"
        except (OSError, ValueError) as error:
            failed = f"`{argv[0]}` cannot be run: {getattr(error, 'strerror', '') or 'its arguments are not valid'}"
        else:
            if done.returncode == 0:
                return done.stdout
            failed = f"`{argv[0]}` ended with {done.returncode}"
        raise VitrifyError(failed, hint="what it says is withheld, lest it quote the secret; run it yourself to see")

    def _path(self, path: str) -> Path:
        if path == "~" or path.startswith("~/"):
            return Path(self.environ.get("HOME") or Path.home()) / path[2:]
        return self.folder / path


class Source(Protocol):
    """Where one secret comes from."""

    def read(self, means: Means) -> str:
        """The value; a VitrifyError with the reason where it cannot be had."""


@dataclass(frozen=True)
class Environment:
    """An environment variable."""

    variable: str

    def read(self, means: Means) -> str:
        """Its value."""
        value = means.environ.get(self.variable)
        if value is None:
            hint = f"set it for this command, as in `{self.variable}=… vitrify plan`, or take the secret from a file or a program"
            raise VitrifyError(f"the environment variable {self.variable} is not set", hint=hint)
        return value


@dataclass(frozen=True)
class File:
    """A file; the newline that editors put at its end does not count."""

    path: str

    def read(self, means: Means) -> str:
        """Its content."""
        return means.text(self.path).removesuffix("\n")


@dataclass(frozen=True)
class Program:
    """A program that prints the secret; the newline at the end does not count."""

    argv: tuple[str, ...]

    def read(self, means: Means) -> str:
        """What it prints."""
        return _decoded(means.output(self.argv), f"what `{self.argv[0]}` prints is not text").removesuffix("\n")


@dataclass(frozen=True)
class Age:
    """A file that was encrypted with age, for the holder of an identity or for whoever knows a passphrase."""

    path: str
    identity: str = ""
    passphrase: str = ""

    def read(self, means: Means) -> str:
        """Its content in clear, without the newline at the end."""
        try:
            import pyrage  # type: ignore[import-untyped]  # an extra that brings no types
        except ImportError:
            raise VitrifyError("this needs the package pyrage", hint="pip install 'vitrify[age]'") from None
        content = means.content(self.path)
        try:
            if self.passphrase:
                clear = pyrage.passphrase.decrypt(content, means.secret(self.passphrase))
            else:
                clear = pyrage.decrypt(content, _identities(means.secret(self.identity), pyrage))
        except (pyrage.DecryptError, pyrage.IdentityError):  # their messages may quote what they could not read
            raise VitrifyError(f"{self.path} does not open", hint="it is encrypted for somebody else, or was changed") from None
        return _decoded(clear, f"{self.path}: its content is not text").removesuffix("\n")


@dataclass(frozen=True)
class Sops:
    """A file that the program `sops` can decrypt with the keys that it finds; `key` picks one value, as in `db.password`."""

    path: str
    key: str = ""

    def read(self, means: Means) -> str:
        """The value, without the newline at the end."""
        steps = [step if step.isdecimal() else f'"{step}"' for step in self.key.split(".")] if self.key else []
        picked = ["--extract", "".join(f"[{step}]" for step in steps)] if steps else []
        told = means.output(["sops", "--decrypt", *picked, self.path])
        return _decoded(told, f"{self.path}: its content is not text").removesuffix("\n")


@dataclass(frozen=True)
class Vault:
    """A file that `ansible-vault` closed, or one with single values that it closed; `key` picks one value."""

    path: str
    password: str
    key: str = ""

    def read(self, means: Means) -> str:
        """The value, without the newline at the end of a whole file."""
        text = means.text(self.path)
        password = means.secret(self.password).removesuffix("\n")
        if text.startswith(HEADER):
            text = self._clear(text, password)
        if not self.key:
            return text.removesuffix("\n")
        value = self._picked(text)
        return self._clear(value, password) if value.startswith(HEADER) else value

    def _clear(self, text: str, password: str) -> str:
        try:
            return _decoded(opened(text, password=password), f"{self.path}: its content is not text")
        except VitrifyError as error:
            first = error.diagnostics[0]
            raise VitrifyError(f"{self.path}: {first.summary}", hint=first.hint) from None

    def _picked(self, text: str) -> str:
        from vitrify.project.problems import Problems
        from vitrify.project.yaml import parse

        try:
            # Tags such as `!vault` have no meaning in a declaration: here the text below one is what is wanted.
            node = parse(text.encode(), file=self.path, problems=Problems())
        except DeclarationInvalid:
            raise VitrifyError(f"{self.path}: it is not YAML") from None
        for step in self.key.split("."):
            found = node.get(step)
            if found is None:
                raise VitrifyError(f"{self.path}: there is no key `{step}`", hint="`key: a.b` is the value of `b` in the map `a`")
            node = found
        if isinstance(node.value, bool) or not isinstance(node.value, (str, int)):
            raise VitrifyError(f"{self.path}: the value of `{self.key}` is not text")
        return str(node.value)


def _decoded(content: bytes, complaint: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Raised anew, out of the handler's reach: the foreign error quotes the content.
        pass
    raise VitrifyError(complaint)


def _identities(text: str, pyrage: object) -> list[object]:
    """The identities in a file as `age-keygen` or `ssh-keygen` writes it."""
    x25519, ssh = (getattr(pyrage, name).Identity for name in ("x25519", "ssh"))
    if "PRIVATE KEY" in text:
        return [ssh.from_buffer(f"{text}\n".encode())]
    lines = [line.strip() for line in text.splitlines()]
    return [x25519.from_str(line) for line in lines if line and not line.startswith("#")]
