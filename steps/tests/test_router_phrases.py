"""The sentences of a router's cases that are more than a verb with its members mean what the same is in YAML."""

from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.gherkin import compile_feature

ROUTER = PROFILES["router"]
HEAD = "Feature: f\n\n  @ROUTER-003\n  Scenario: s\n"
REST = ('When the client sends "Hello!"', "Then it has status 200")


def prose(folder: Path, *steps: str) -> list[Any]:
    file = folder / "s.feature"
    lines = [line for step in (*steps, *REST) for line in step.splitlines()]
    file.write_text(HEAD + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    return [step.what for one in compile_feature(file, ROUTER, folder) for case in one.cases for step in case.steps]


def data(folder: Path, steps: str) -> list[Any]:
    file = folder / "s.yaml"
    text = f"cases:\n- name: s\n  requirements: [ROUTER-003]\n  steps: [{steps}, {{chat: Hello!}}]\n  expect: [{{status: 200}}]\n"
    file.write_text(text, encoding="utf-8")
    return [step.what for case in loader.load(file, ROUTER, folder) for step in case.steps]


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ('Given the backends return "Done."', "{backends: Done.}"),
        ("Given the backends return 503, then reset the connection", "{backends: [503, reset]}"),
        (
            'Given the backends send nothing, then return "Done." after 0.3 s',
            "{backends: [silent, {text: Done., delay_s: 0.3}]}",
        ),
        (
            "Given the backends return a completion, a chunk every 0.02 s and reset the connection after 4 chunks, then return 500",
            "{backends: [{chunk_every_s: 0.02, reset_after: 4}, 500]}",
        ),
        ('Given the backends return 500 with the body "x"', "{backends: {status: 500, body: x}}"),
        (
            "Given the backends return a completion, a chunk every 0.05 s, without end",
            "{backends: {chunk_every_s: 0.05, endless: true}}",
        ),
        (
            'Given each backend response has these members:\n  """\n  a: [0, null]\n  """',
            "{backends: {members: {a: [0, null]}}}",
        ),
    ],
)
def test_a_sentence_about_the_backends_means_what_the_same_is_in_yaml(
    tmp_path: Path, sentence: str, written: str
) -> None:
    assert prose(tmp_path, sentence) == data(tmp_path, written)


def test_responses_that_are_held_have_to_be_released(tmp_path: Path) -> None:
    sentences = (
        'Given the backends return "Done." and hold the response',
        'When the client sends "x" 2 times in the background',
    )
    with pytest.raises(SuiteError, match="no step releases them"):
        prose(tmp_path, *sentences)
    read = prose(tmp_path, *sentences, "When the backends send the responses that they hold")
    hold, release = "{backends: {text: Done., hold: true}}", "release_backends"
    assert read == data(tmp_path, f"{hold}, {{chat: {{user: x, times: 2, background: true}}}}, {release}")


def test_what_the_backends_cannot_do_is_answered_with_what_they_can(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"not understood: 'explode'\. What may stand there: return 503 / return"):
        prose(tmp_path, "Given the backends explode")
