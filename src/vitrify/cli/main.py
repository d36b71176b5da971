"""The program `vitrify`: parses, runs one verb, and ends with its exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import FrameType
from typing import NoReturn

import click

from vitrify.cli.exits import Exit, exit_for
from vitrify.cli.facade import Open, open_app
from vitrify.cli.group import vitrify
from vitrify.cli.invocation import Surroundings
from vitrify.cli.render import Format, Screen, Settings, Streams
from vitrify.cli.text import line
from vitrify.core.diagnostic import UsageInvalid


def main(application: Open = open_app) -> NoReturn:
    """Run the command line of this process and exit; `application` opens what carries out the verbs."""
    terminated: list[int] = []

    def terminate(number: int, frame: FrameType | None) -> None:
        # A termination stops like an interruption: whoever handles that one (the event loop does) stops cleanly.
        terminated.append(number)
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    signal.signal(signal.SIGTERM, terminate)
    # No stranger's plug-in has a say in what is valid; looking for them reads every installed package's files.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A command ends soon, and most of what it makes lives as long as it does: looking for garbage that often costs a fifth of its time.
    gc.set_threshold(100_000, 20, 20)
    surroundings = Surroundings(Streams(sys.stdin, sys.stdout, sys.stderr), os.environ, time.time, application)
    ended = run(sys.argv[1:], surroundings)
    gc.freeze()  # the end of a process is no time to look for garbage either
    sys.exit(Exit.TERMINATED if terminated and ended is Exit.INTERRUPTED else ended)


def run(arguments: Sequence[str], surroundings: Surroundings) -> Exit:
    """Run one command; never raises for anything that a user or a target can cause."""
    screen = _plain_screen(arguments, surroundings)
    try:
        ended = vitrify.main(list(arguments), prog_name="vitrify", standalone_mode=False, obj=surroundings)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except click.UsageError as error:
        screen.fail(_usage(error))
        return Exit.USAGE
    except click.ClickException as error:
        screen.fail(UsageInvalid(error.format_message()))
        return Exit.USAGE
    except click.Abort:
        screen.say(line("Stopped. The same command, run again, goes on from here."))
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last line of defence: a traceback is for a file, not for a person
        return _unexpected(error, arguments, surroundings, screen)
    return Exit(ended) if ended is not None else Exit.DONE


def _usage(error: click.UsageError) -> UsageInvalid:
    path = error.ctx.command_path if error.ctx else "vitrify"
    return UsageInvalid(error.format_message(), hint=f"`{path} -h` explains it")


def _unexpected(error: Exception, arguments: Sequence[str], surroundings: Surroundings, screen: Screen) -> Exit:
    from vitrify.cli.crash import report

    written = report(error, arguments=arguments, environ=surroundings.environ, now=surroundings.clock())
    told = str(error).split("\n")[0]
    screen.fail(RuntimeError(f"vitrify failed unexpectedly: {type(error).__name__}{f': {told}' if told else ''}; {written}"))
    return exit_for(error)


def _plain_screen(arguments: Sequence[str], surroundings: Surroundings) -> Screen:
    """The screen for errors of the command line itself, where its flags could not be read."""
    asked = _asked_format(arguments, surroundings.environ)
    return Screen(surroundings.streams, Settings(asked), environ=surroundings.environ, clock=surroundings.clock)


def _asked_format(arguments: Sequence[str], environ: Mapping[str, str]) -> Format:
    values = [environ.get("VITRIFY_OUTPUT", "")]
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        name, equals, value = argument.partition("=")
        if name == "--output":
            values.append(value if equals else following)
        elif argument.startswith("-o"):
            values.append(argument[2:] or following)
    known = {form.value: form for form in Format}
    return next((known[value] for value in reversed(values) if value in known), Format.TABLE)
