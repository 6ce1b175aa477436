"""An option of pytest that is typed at `run`: the message says what it is called here."""

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.commands.options_of_pytest import ANSWERS
from rollout_conformance.steps.commands.run import command


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--lf"], "--lf is an option of pytest. Here --case NAME plays one case again"),
        (["-k", "five"], "-k is an option of pytest. Here --case TEXT plays the cases with a text in their name"),
        (["-n", "4"], "-n is an option of pytest. Here -j N bounds the cases in flight"),
    ],
)
def test_what_an_option_of_pytest_is_called_here_is_told(words: list[str], told: str) -> None:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert f"`pytest FILES {words[0]}`" in " ".join(result.output.split())


def test_no_option_of_run_is_taken_for_one_of_pytest() -> None:
    mine = {option for parameter in command.params for option in parameter.opts}
    assert mine & set(ANSWERS) == set()


def test_any_other_unknown_option_is_told_as_before() -> None:
    result = CliRunner().invoke(command, ["--targt", "x"])
    assert result.exit_code == 2
    assert "No such option" in result.output
    assert "--target" in result.output
