"""The lint of banned words: what it finds, where, and what it lets pass."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import lint, plain_words, prose
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.plain_words import ROWS, banned

GLOSSARY = ROOT / "docs" / "glossary.md"


def written(text: str) -> list[str]:
    return [one.phrase for one in banned(text)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.write)
@pytest.mark.parametrize("text", ["It: {}.", "{}, twice", "`x` {}"], ids=["middle", "first", "after code"])
def test_each_phrase_is_found_with_its_replacement(row: plain_words.Row, text: str) -> None:
    for phrase in row.instead_of:
        (found,) = banned(text.format(phrase.removesuffix(".").upper()))
        assert (found.phrase.lower(), found.write) == (phrase.removesuffix("."), row.write)


def test_a_phrase_is_found_across_lines() -> None:
    assert written("The body is forwarded as it\n    came.") == ["as it came"]


@pytest.mark.parametrize(
    "text",
    [
        "a deadline, a shortcut, an essay and an inside joke",
        "The member `said` and the path `/tell`",
        "as it is required by the contract",
        "as `it` came",
        "in place of numbers",
        "inside the values of `default`",
        "a refused connection",
    ],
)
def test_what_only_looks_like_a_banned_phrase_passes(text: str) -> None:
    assert written(text) == []


def test_the_longest_phrase_is_named() -> None:
    assert written("A 429 is asked of another one.") == ["asked of another one"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.write)
def test_a_replacement_is_plain_itself(row: plain_words.Row) -> None:
    assert written(row.write) + written(row.example) == []


def test_no_phrase_has_two_replacements() -> None:
    phrases = [phrase for row in ROWS for phrase in row.instead_of]
    assert len(phrases) == len(set(phrases))


def test_the_glossary_shows_the_table_and_is_plain_itself() -> None:
    definitions, table = GLOSSARY.read_text(encoding="utf-8").split("## Write / not")
    assert plain_words.table() in table
    assert written(definitions) == []


# ------------------------------------------------------------------------------------------------ where prose stands


CATALOGUE = """\
# The first comment.
# Its second line tells.

requirements:
- id: X-001
  sentence: >-
    The server MUST return
    é as it came.
  source: "observed defect: nobody looks"  # said here
  accepts: ["it says so"]
"""
SCENARIO = "cases:\n- name: what is said\n  trainer: [{say: Done., name: told}]\n"
FEATURE = '''\
@told
Feature: A server that tells
  It asks.

  Scenario: nobody
    When the trainer says "Done."
      """
      as it came
      """
    Then it is told
      | told |
'''
STEPS = '''\
@then(parsers.re(r"the engines were asked (?P<n>\\d+) times"))
def asked(n: str) -> None:
    """It tells."""


@phrase("it says {text}")
class Told:
    pass
'''
PAGE = "# Told\n\n```\nit says\n```\n\nThe `say` member\ntells.\n"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("requirements.yaml", CATALOGUE, {(2, "tells"), (8, "as it came"), (10, "says")}),
        ("openapi.yaml", "info:\n  description: |\n    One.\n    It tells.\n", {(4, "tells")}),
        ("scenarios/x/a.yaml", SCENARIO, {(2, "said")}),
        ("a.feature", FEATURE, {(2, "tells"), (3, "asks"), (5, "nobody")}),
        ("steps.py", STEPS, {(1, "asked"), (6, "says")}),
        ("page.md", PAGE, {(1, "Told"), (8, "tells")}),
    ],
)
def test_prose_is_read_where_people_read_it(tmp_path: Path, name: str, text: str, found: set[tuple[int, str]]) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    assert {(one.line_of(b.at), b.phrase) for one in prose.passages(file) for b in banned(one.text)} == found


def test_a_file_without_prose_is_a_mistake_of_the_list(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.touch()
    with pytest.raises(ValueError, match=r"a\.txt: prose is read in \.yaml, \.feature, \.py and \.md files"):
        list(prose.passages(file))


# ------------------------------------------------------------------------------------------------ lint


def test_lint_names_the_line_and_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "contracts" / "x" / "requirements.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("words:\n  a: b\n  server: It lets go.\n")
    assert lint.words(tmp_path) == [
        "contracts/x/requirements.yaml:3: 'lets go' is not plain; write: release (a connection, a slot)"
    ]


def test_the_command_fails_on_a_banned_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "words", lambda: ["README.md:1: 'told' is not plain; write: return"])
    result = CliRunner().invoke(cli, ["lint", "--profile", "trainer"])
    assert (result.exit_code, result.output) == (1, "README.md:1: 'told' is not plain; write: return\n")


@pytest.mark.parametrize("pattern", lint.PLAIN)
def test_what_is_held_exists(pattern: str) -> None:
    assert list(ROOT.glob(pattern))


def test_the_held_files_are_plain() -> None:
    assert lint.words() == []
