"""The sentences that send requests mean what the same is in YAML; those that repeat or continue a request mean the right one."""

from pathlib import Path

import pytest

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.gherkin import compile_feature

CHAT = PROFILES["chat"]
HEAD = "Feature: f\n\n  @CHAT-050\n  Scenario: s\n"


def prose(folder: Path, steps: str) -> list[object]:
    file = folder / "s.feature"
    lines = [*steps.splitlines(), "Then it has status 200"]
    file.write_text(HEAD + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    return [step.what for one in compile_feature(file, CHAT, folder) for case in one.cases for step in case.steps]


def data(folder: Path, steps: str) -> list[object]:
    file = folder / "s.yaml"
    text = f"cases:\n- name: s\n  requirements: [CHAT-050]\n  steps: [{steps}]\n  expect: [{{status: 200}}]\n"
    file.write_text(text, encoding="utf-8")
    return [step.what for case in loader.load(file, CHAT, folder) for step in case.steps]


@pytest.mark.parametrize(
    ("sentences", "written"),
    [
        ('When the client sends "Count."', "{chat: Count.}"),
        (
            'When the client sends "Count." with stop [" 4", "x"] and seed 0\n'
            "And the client sends the same request as a stream with seed 1",
            "{chat: {user: Count., body: {stop: [' 4', x], seed: 0}}},"
            "{chat: {user: Count., stream: true, body: {stop: [' 4', x], seed: 1}}}",
        ),
        (
            'When the client sends "x" 3 times concurrently without max_tokens and disconnects after 2 chunks\n'
            "And the client sends the same request again\nAnd the client sends the same request with 8 different seeds",
            "{chat: {user: x, times: 3, without: [max_tokens], disconnect_after: 2}}, {chat: {user: x, without: [max_tokens]}},"
            "{chat: {user: x, without: [max_tokens], times: 8, distinct_seeds: true}}",
        ),
        (
            'When the client sends "5 plus 3?" with the tools add and subtract\nAnd the client sends the tool results\n'
            'And the client continues with "And?"\nAnd the client continues the first response with "No."',
            "{chat: {user: 5 plus 3?, tools: [add, subtract]}}, {chat: {continues: it, tools: [add, subtract]}},"
            "{chat: {continues: it, user: And?, tools: [add, subtract]}},"
            "{chat: {continues: first, user: No., tools: [add, subtract]}}",
        ),
        (
            'When the client sends "x"\nAnd the client sends GET /v1/models\nAnd the client continues with "y"',
            "{chat: x}, {send: /v1/models}, {chat: {continues: first, user: y}}",
        ),
        (
            "When the client sends this conversation as a stream:\n  | system | Be brief. |\n  | user   | Hello!    |\n"
            'And the client sends this invented history with the tool add:\n  """\n  - {role: user, content: null}\n  """\n'
            'And the client sends these messages:\n  """\n  - {role: user, content: x}\n  """\n'
            'And the client sends "x" with these members:\n  """\n  temperature: 1\n  """',
            "{chat: {stream: true, messages: [{role: system, content: Be brief.}, {role: user, content: Hello!}]}},"
            "{chat: {invented_history: true, tools: [add], messages: [{role: user, content: null}]}},"
            "{chat: {messages: [{role: user, content: x}]}}, {chat: {user: x, body: {temperature: 1}}}",
        ),
        (
            "When the client sends more tokens than the model takes as a stream\n"
            'And the client sends GET /v1/models with a wrong API key with the header X-A "b"\n'
            'And the client sends POST /x padded to 9 bytes with this body:\n  """\n  {}\n  """',
            "{chat: {exceeds_context: true, stream: true}}, {send: {path: /v1/models, key: wrong, headers: {X-A: b}}},"
            "{send: {path: /x, method: POST, raw: '{}', size: 9}}",
        ),
    ],
)
def test_a_sentence_means_what_the_same_is_in_yaml(tmp_path: Path, sentences: str, written: str) -> None:
    assert prose(tmp_path, sentences) == data(tmp_path, written)


@pytest.mark.parametrize(
    ("sentences", "told"),
    [
        ("When the client sends the same request", "Begin with: When the client sends"),
        ('When the client sends GET /x\nAnd the client continues with "y"', "Begin with: When the client sends"),
        (
            'When the client sends "x" 3 times concurrently\nAnd the client continues with "y"',
            "which of the responses is continued is not clear",
        ),
        (
            'When the client sends GET /x\nAnd the client continues the first response with "y"',
            "no conversation can be continued from it",
        ),
        ('When the client sends "x" with a wrong kye', "not understood: ' with a wrong kye'. What may stand here:"),
        ('When the client sends "x" with seed 1 1', "not understood: ' 1'"),
        ('When the client sends "x" with seed {1}', "not JSON: {1}"),
    ],
)
def test_a_sentence_that_means_nothing_is_a_mistake(tmp_path: Path, sentences: str, told: str) -> None:
    with pytest.raises(SuiteError) as error:
        prose(tmp_path, sentences)
    assert told in str(error.value)
