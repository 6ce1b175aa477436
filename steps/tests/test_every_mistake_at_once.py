"""A file with several mistakes lists them all, and each says what was seen and what to write instead."""

import asyncio
from pathlib import Path

import pytest

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.starting import NotUsable
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.rollout import dialect_detection
from rollout_conformance.steps.run_setup import RunOptions, card_of, run_command
from rollout_conformance.steps.tests.lint_told import Told as Told
from rollout_conformance.steps.tests.lint_told import told as told

CASE = """cases:
- name: one
  requirements: [ROLLOUT-112]
  dialects: [callback]
  trainer: [{text: Done.}]
  expect: [{completed: stop}]
"""
FEATURE = """Feature: F

  @ROLLOUT-112 @callback
  Scenario: one
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
"""


def of_card(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "card.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        card_of(RunOptions(card=file), profile_of("rollout"))
    except SuiteError as error:
        return str(error).replace(f"{file}:", "").splitlines()
    return []


def test_a_card_with_many_mistakes_shows_them_all(tmp_path: Path) -> None:
    text = "dialects: [calback]\nmodel: m\npatience_s: '10'\ntols: []\ncapabilities: [idempotent_key]\n"
    lines = of_card(tmp_path, text)
    assert len(lines) == 5
    for part in ("1:12: ", "2:1: model: ", "3:1: patience_s: ", "4:1: tols: ", "5:16: "):
        assert any(line.startswith(part) for line in lines), (part, lines)


@pytest.mark.parametrize("value", ["10", "10.5", "1e1", "0"])
def test_a_number_of_a_card_stands_in_no_quotes(tmp_path: Path, value: str) -> None:
    assert "this is a number" in of_card(tmp_path, f"settle_s: '{value}'\n")[0]
    assert of_card(tmp_path, f"settle_s: {value}\n") == []


def test_true_is_no_number(tmp_path: Path) -> None:
    assert of_card(tmp_path, "max_concurrent: true\n") == ["1:1: max_concurrent: this is a whole number; seen: True"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{text: Done., delay_s: '1'}", "delay_s: this is a number, without quotes; seen: '1'"),
        ("{text: Done., repeat: '2'}", "repeat: this is a whole number, without quotes; seen: '2'"),
        ("{fail: {status: '503'}}", "status: this is a whole number, without quotes; seen: '503'"),
        ("{fail: {status: 503, delay_s: '1'}}", "delay_s: this is a number, without quotes; seen: '1'"),
    ],
)
def test_a_number_of_a_case_stands_in_no_quotes(told: Told, wrong: str, says: str) -> None:
    assert told("yaml", CASE) == []
    (line,) = told("yaml", CASE.replace("{text: Done.}", wrong))
    assert line.startswith("5:")
    assert line.endswith(says)


def test_a_wrong_dialect_is_told_beside_a_wrong_step(told: Told) -> None:
    yaml = told("yaml", CASE.replace("[callback]", "[calback]").replace("completed: stop", "complete: stop"))
    assert [line[:3] for line in yaml] == ["6:1", "4:3"]
    prose = told(
        "feature", FEATURE.replace("reason stop", "reasons stop").replace("@callback", "@callback @needs:tols")
    )
    assert any("no phrase for" in line for line in prose)
    assert any("unknown capability 'tols'" in line for line in prose)


def test_the_dialects_of_a_requirement_are_named(told: Told) -> None:
    (line,) = told("yaml", CASE.replace("ROLLOUT-112", "ROLLOUT-223"))
    assert line == (
        "4:3: no requirement of the case is one of the dialect callback: ROLLOUT-223 is one of routed, leased"
    )


def test_a_list_without_cases_above_it(told: Told) -> None:
    (line,) = told("yaml", CASE.removeprefix("cases:\n"))
    assert line == "1:1: a list of cases has a name: write `cases:` on a line of its own above the first dash"


def test_a_keyword_in_capitals(told: Told) -> None:
    (line,) = told("feature", FEATURE.replace("And the rollout", "AND the rollout"))
    assert line.startswith("7:1: not Gherkin: AND is no keyword; write And")


def test_a_trainer_without_a_response(told: Told) -> None:
    (line,) = told("yaml", CASE.replace("  trainer: [{text: Done.}]\n", ""))
    assert "the trainer of this case has no response to a generation request" in line
    (line,) = told("feature", FEATURE.replace('Given the policy answers "Done."\n    When', "When"))
    assert "Given the policy answers" in line


def test_an_end_that_is_not_awaited(told: Told) -> None:
    (line,) = told("feature", FEATURE.replace("    And the rollout ends\n", ""))
    assert line.startswith("7:5: expects something of the end of the rollout, and the case does not wait for it.")
    assert told("yaml", CASE.replace("  trainer", "  steps: [start, {wait_for_silence: 1}]\n  trainer")) == []


def test_a_card_that_restricts_the_dialects_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hidden(probe: dialect_detection.DialectProbe, dialect: str) -> bool:
        probe.answers[dialect] = "404"
        return False

    monkeypatch.setattr(dialect_detection.DialectProbe, "shows", hidden)
    with pytest.raises(
        NotUsable, match=r"Only sync was looked for, because --dialect or `dialects` on the card"
    ) as seen:
        asyncio.run(dialect_detection.detected("http://127.0.0.1:1", ("sync",), {}, {}))
    assert "callback, routed, leased" in str(seen.value)


def test_the_command_after_a_smoke_check_has_its_options() -> None:
    options = RunOptions("chat", target="http://h:1", model="m", target_key="secret")
    assert run_command(options) == (
        "rollout-conformance run --profile chat --target http://h:1 --model m --target-key ..."
    )
