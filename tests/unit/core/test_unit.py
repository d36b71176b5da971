from __future__ import annotations

import pytest

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.unit import Service, argument, environment_file, quoted, text


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-word_1.2:/x,y=@+", "plain-word_1.2:/x,y=@+"),
        ("", '""'),
        ("two words", '"two words"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ("${A}", '"$${A}"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        (";", '";"'),
        ("grüße ☃", '"grüße ☃"'),
    ],
)
def test_a_word_of_a_command_is_literal(word: str, written: str) -> None:
    assert argument(word) == written


def test_a_dollar_in_an_environment_needs_no_doubling() -> None:
    assert quoted("A=$5", always=False) == '"A=$5"'


@pytest.mark.parametrize("word", ["a\nExecStart=/bin/evil", "a\rb", "a\tb", "\x1b[0m", "\x7f", "a\0b"])
def test_nobody_smuggles_a_line_into_a_unit(word: str) -> None:
    for service in (
        Service("web", ("/bin/x", word)),
        Service("web", ("/bin/x",), environment={"A": word}),
        Service("web", ("/bin/x",), workdir=word),
        Service("web", ("/bin/x",), user=word),
        Service(word, ("/bin/x",)),
    ):
        with pytest.raises(VitrifyError, match="control characters"):
            text(service)


def test_a_unit_says_nothing_that_was_not_asked_for() -> None:
    unit = text(Service("web", ("/bin/x",)))

    assert "User=" not in unit
    assert "Environment" not in unit
    assert unit.endswith("WantedBy=multi-user.target\n")


def test_equal_services_give_equal_units_whatever_the_order_of_their_variables() -> None:
    one = Service("web", ("/bin/x",), environment={"A": "1", "B": "2"})
    other = Service("web", ("/bin/x",), environment={"B": "2", "A": "1"})

    assert text(one) == text(other)


def test_a_secret_may_hold_lines_quotes_and_dollars() -> None:
    assert environment_file({"KEY": 'a\n"b" $c `d` \\'}) == 'KEY="a\n\\"b\\" \\$c \\`d\\` \\\\"\n'


@pytest.mark.parametrize("values", [{"A": "\x1b"}, {"A": "a\0"}, {"A B": "x"}, {"1A": "x"}, {"A\nB": "x"}])
def test_what_an_environment_file_cannot_hold_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(VitrifyError):
        environment_file(values)


def test_a_refusal_never_quotes_the_secret() -> None:
    with pytest.raises(VitrifyError) as caught:
        environment_file({"TOKEN": "hunter2\x00"})

    assert "hunter2" not in str(caught.value)
