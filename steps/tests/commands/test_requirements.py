"""`requirements` and `explain`: a requirement by its id in any form, its number or a word."""

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError


def shown(*words: str) -> list[str]:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.exception
    return result.output.splitlines()


def test_all_are_listed_with_level_and_profile() -> None:
    found = shown("requirements")
    assert len(found) == sum(len(catalogues.of(name)) for name in catalogues.readable())
    assert any(line.split()[:6] == ["ROLLOUT-049", "MUST", "rollout", "The", "server", "MUST"] for line in found)


def test_they_are_selected_by_profile_level_and_words() -> None:
    assert len(shown("requirements", "--profile", "chat")) == len(catalogues.of("chat"))
    found = shown("requirements", "RETRY-after", "forward")
    assert [line.split()[:2] for line in found] == [["ROUTER-054", "SHOULD"]]
    assert all(line.split()[1] == "MAY" for line in shown("requirements", "--level", "may"))


@pytest.mark.parametrize("text", ["84", "084", "rollout-84", "ROLLOUT-084", "rollout84"])
def test_a_requirement_is_explained_by_any_form_of_its_id(text: str) -> None:
    assert shown("explain", text)[0].startswith("ROLLOUT-084  MUST")


def test_a_word_that_one_has_explains_it_and_one_that_several_have_lists_them() -> None:
    assert shown("explain", "Retry-After", "forward")[0].startswith("ROUTER-054  SHOULD")
    found = shown("explain", "retry")
    assert len(found) > 3
    assert found[-1] == f"{len(found) - 1} requirements: name one by its id."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("requirements", "latnecy"), "requirements latnecy: nothing has this in it. Near it:\n  "),
        (
            ("requirements", "--profile", "rolout"),
            "--profile: unknown profile 'rolout'. Did you mean rollout or router?",
        ),
        (("explain", "ROLOUT-084"), "explain ROLOUT-084: no such requirement. Near it: ROLLOUT-084"),
        (("explain", "9999"), "explain 9999: no such requirement. Ids look like ROLLOUT-001."),
    ],
)
def test_what_is_not_there_is_refused_with_what_is_near(words: tuple[str, ...], message: str) -> None:
    error = CliRunner().invoke(cli, words).exception
    assert isinstance(error, SuiteError)
    assert message in str(error)
