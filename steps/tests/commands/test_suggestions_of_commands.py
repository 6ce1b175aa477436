"""What is said about a word that no command knows."""

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import requirement_search
from rollout_conformance.steps.cli import cli


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("rnu", "No such command 'rnu'. Did you mean run?"),
        ("serve rolout", "No such command 'rolout'. Did you mean rollout"),
        ("quux", "No such command 'quux'.\n"),
    ],
)
def test_a_misspelled_command_is_named(line: str, told: str) -> None:
    result = CliRunner().invoke(cli, line.split())
    assert result.exit_code == 2
    assert told in result.output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("vocabulary paralel", "Did you mean parallel"),
        ("run --case ROLLOUT-0555", "Did you mean ROLLOUT-055"),
    ],
)
def test_a_misspelled_value_is_named(line: str, told: str) -> None:
    assert told in str(CliRunner().invoke(cli, line.split()).exception)


def test_several_requirements_are_explained_one_after_the_other() -> None:
    result = CliRunner().invoke(cli, ["explain", "ROLLOUT-001", "chat-001"])
    assert result.exit_code == 0
    first, second = result.output.split("\n\n")
    assert first.startswith("ROLLOUT-001  MUST")
    assert second.startswith("CHAT-001  MUST")
    assert "no such requirement" in str(CliRunner().invoke(cli, ["explain", "ROLLOUT-001", "CHAT-999"]).exception)


def test_a_narrow_terminal_shows_whole_sentences() -> None:
    some = requirement_search.every("trainer")[:1]
    [wide], [narrow], [piped] = (list(requirement_search.lines(some, width)) for width in (80, 40, None))
    assert (len(wide), wide.endswith("...")) == (80, True)
    assert narrow == piped
    assert narrow.endswith(".")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run --wait soon", "'soon' is not a valid number."),
        ("run -j 1.5", "'1.5' is not a valid whole number."),
        ("run --dialect sync --dialect callback", "'--dialect': it is given twice."),
        ("doctor --dialect sync --dialect callback", "'--dialect': it is given twice."),
    ],
)
def test_a_value_that_an_option_does_not_take_is_named(line: str, told: str) -> None:
    result = CliRunner().invoke(cli, line.split())
    assert result.exit_code == 2
    assert told in result.output
