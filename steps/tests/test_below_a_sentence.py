"""A mistake in what stands below a sentence is told at its line, with an example of what belongs there."""

from pathlib import Path

import pytest

from rollout_conformance.steps import lint

FEATURE = """Feature: F

  @ROLLOUT-095 @callback
  Scenario: one
    Given the policy calls these tools in one turn:
      | add | {"a": 5, "b": 3} |
      | add | {"a": 1, "b": 1} |
    And the trainer's next response is:
      \"\"\"
      text: Done.
      \"\"\"
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
"""
CHAT = """Feature: F

  @CHAT-050
  Scenario: one
    When the client sends this conversation:
      | user | Hello! |
    Then the response has status 200
"""
BLOCK = """
      \"\"\"
      text: Done.
      \"\"\""""
ROW = '      | add | {"a": 5, "b": 3} |\n'


def told(tmp_path: Path, text: str) -> str:
    file = tmp_path / "x.feature"
    file.write_text(text, encoding="utf-8")
    return "\n".join(lint.of_files([file], None, None).problems).replace(f"{file}:", "")


@pytest.mark.parametrize("text", [FEATURE, CHAT])
def test_what_is_right_is_right(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == ""


@pytest.mark.parametrize(
    ("seen", "wrong", "where", "says"),
    [
        (ROW, f"      | name | arguments |\n{ROW}", "6:7", "row 1: | name | arguments | is a header"),
        (ROW, f"      | name | arguments |\n{ROW}", "6:7", 'Begin with the first call: | add | {"a": 5, "b": 3} |'),
        ('{"a": 1, "b": 1}', '{"a": 1, b: 1}  ', "7:7", "row 2: the arguments are not JSON"),
        ('{"a": 1, "b": 1}', "[1]", "7:7", "row 2: the arguments are a JSON object"),
        (
            BLOCK,
            "",
            "8:5",
            'needs a text block below it, as\n    """\n    call: {add: {a: 5, b: 3}}\n    delay_s: 2\n    """',
        ),
    ],
)
def test_a_mistake_in_a_table_or_block(tmp_path: Path, seen: str, wrong: str, where: str, says: str) -> None:
    assert seen in FEATURE
    found = told(tmp_path, FEATURE.replace(seen, wrong, 1))
    assert found.startswith(f"{where}: "), found
    assert says in found


def test_a_missing_table_is_shown(tmp_path: Path) -> None:
    rows = [line for line in FEATURE.splitlines() if "| add" in line]
    found = told(tmp_path, "\n".join(line for line in FEATURE.splitlines() if line not in rows))
    assert 'needs a table below it, as\n    | add    | {"a": 5, "b": 3} |' in found


def test_a_conversation_has_no_header(tmp_path: Path) -> None:
    found = told(tmp_path, CHAT.replace("      | user", "      | role | content |\n      | user"))
    assert found.startswith("6:7: row 1: this table has no header row. Begin with the first message: | user |")
