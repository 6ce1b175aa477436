"""The end of a run as it is shown: order, width, colour, links."""

import re
from dataclasses import replace

import pytest

from rollout_conformance.steps.commands import terminal
from rollout_conformance.steps.commands.terminal import Screen
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.outputs.facts import RunFacts
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.tests.outputs.runs import case, facts, other, trace

LONG = '{"role":"assistant","content":"' + "x" * 90 + '"} and words ' * 3


def broken(name: str, *found: tuple[str, int], observed: str = LONG) -> Outcome:
    findings = tuple(Finding(one, LONG, observed, (n,)) for one, n in found)
    judged = Judgement(Verdict.FAIL, {}, findings)
    return Outcome(
        case(name, at=Location("README.md", 3)), judged, trace(), 0.1, "rollout-conformance run --case " + "y" * 99
    )


RUN = facts(
    broken("one", ("ROLLOUT-093", 0), ("ROLLOUT-117", 1)),
    broken("two", ("ROLLOUT-093", 0), observed="[null]"),
    other("skipped", Verdict.SKIP, "no key of the target was given"),
)


def shown(capsys: pytest.CaptureFixture[str], run: RunFacts, on: Screen) -> list[str]:
    terminal.show(replace(run, sentence="Verdict of the run."), 0, on)
    return capsys.readouterr().out.splitlines()


def test_the_verdict_is_first_and_last(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, RUN, Screen())
    assert lines[0] == lines[-1]
    assert lines[0].startswith("Verdict ")


def test_where_nothing_is_broken_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, facts(other("good", Verdict.PASS)), Screen())
    assert sum(line.startswith("Verdict ") for line in lines) == 1


def test_one_cause_is_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(capsys, RUN, Screen()))
    assert re.findall(r"^(?:FAIL|WARN)  (\S+) MUST  (\(.*?\))?", text, re.MULTILINE) == [
        ("ROLLOUT-093", "(2 cases)"),
        ("ROLLOUT-117", "(1 case, after ROLLOUT-093)"),
        ("ROLLOUT-093", ""),
        ("ROLLOUT-117", ""),
    ]
    assert "  after    ROLLOUT-093, which its case breaks as well, earlier or in the same exchange" in text
    assert "  and      in 1 case: expected" in text
    assert text.count("  wire ") == 1


def test_the_musts_that_were_not_judged_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, facts(other("skipped", Verdict.SKIP, "no key")), Screen())
    assert lines[:3] == ["1 case: 1 skip", "  skipped 1: no key", "  not judged, and a MUST: ROLLOUT-094"]
    assert not any("not judged" in line for line in shown(capsys, facts(other("good", Verdict.PASS)), Screen()))


@pytest.mark.parametrize("width", [40, 59, 80, 200])
def test_no_line_is_wider_than_the_terminal_but_the_command_to_copy(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    lines = shown(capsys, RUN, Screen(width))
    assert [line for line in lines if len(line) > width and not line.startswith("  rerun")] == []
    assert any(line.startswith("  rerun") and line.endswith("y" * 99) for line in lines)


def test_colours_are_only_where_they_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    plain = shown(capsys, RUN, Screen(80))
    coloured = shown(capsys, RUN, Screen(80, colour=True))
    strip = re.compile(r"\x1b\[\d+m")
    assert not any("\x1b" in line for line in plain)
    assert "\x1b[31m\x1b[1mFAIL\x1b[0m  ROLLOUT-093 MUST" in "\n".join(coloured)
    assert [strip.sub("", line) for line in coloured] == [strip.sub("", line) for line in plain]


def test_the_place_of_a_case_is_a_link(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = "\n".join(shown(capsys, RUN, Screen(80, links=True)))
    uri = (ROOT / "README.md").as_uri()
    assert f"\x1b]8;;{uri}\x1b\\README.md:3\x1b]8;;\x1b\\" in text


@pytest.mark.parametrize(
    ("terminal_there", "environment", "colour", "links"),
    [
        (True, {}, True, False),
        (True, {"NO_COLOR": "1"}, False, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        (True, {"NO_COLOR": ""}, True, False),
        (True, {"TERM": "dumb", "VTE_VERSION": "7000"}, False, False),
        (True, {"VTE_VERSION": "7000"}, True, True),
        (True, {"TERM_PROGRAM": "vscode"}, True, True),
        (False, {"TERM_PROGRAM": "vscode"}, False, False),
        (False, {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_what_a_screen_can_show(terminal_there: bool, environment: dict[str, str], colour: bool, links: bool) -> None:
    found = Screen.of(terminal_there, environment)
    assert (found.colour, found.links, found.width is None) == (colour, links, not terminal_there)


def test_what_a_target_wrote_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(capsys, facts(broken("one", ("ROLLOUT-093", 0), observed="\x1b[2J\r\ud800")), Screen(80)))
    assert "\\x1b[2J" in text
    assert "\x1b" not in text
