"""Conversations of other forms than question and answer, and their prompts (TRAINER-183, CHAT-025)."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding, Satisfied, SuiteError, Verdict
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.peers.conversation_forms import other_forms
from rollout_conformance.steps.profiles.chat.invariants.prompts import prompts
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.tests.chat_answers import BENCH
from rollout_conformance.steps.tests.trainer_runs import card, found, played

CALL = {"id": "call_a", "type": "function", "function": {"name": "add", "arguments": '{"a": 5,"b": 3}'}}
CALLING: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}\n{% endfor %}"
SYSTEM_FIRST = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('system first') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content or '' }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
BROKEN = "{% for m in messages %}{{ 'content: ' + m.content }}{% endfor %}"


def with_template(folder: Path, template: str) -> Path:
    """A copy of the tokenizer with another chat template."""
    shutil.copytree(TOKENIZER, folder)
    (folder / "chat_template.jinja").write_text(template)
    return folder


def about(case: Any, *words: str) -> bool:
    return any(word in case.name for word in words)


def test_a_template_may_be_given_objects_as_arguments_and_no_content(tmp_path: Path) -> None:
    """Servers that give it the message as it was sent, or with "" and an object, render other texts: each is right."""
    texts = set(other_forms(tokens.Tokens(with_template(tmp_path / "t", PLAIN)), [CALLING], ()))
    assert 'assistant: None"{\\"a\\": 5,\\"b\\": 3}"' in texts
    assert 'assistant: {"a": 5, "b": 3}' in texts
    assert not any("null" in text for text in texts)


def test_a_form_that_a_template_refuses_is_left_out(tmp_path: Path) -> None:
    described = tokens.Tokens(with_template(tmp_path / "t", BROKEN))
    with pytest.raises(SuiteError, match="cannot render"):
        described.render([CALLING])
    assert set(other_forms(described, [CALLING], ())) == {"content: "}


def test_a_conversation_that_the_template_refuses_is_not_demanded(tmp_path: Path) -> None:
    folder = with_template(tmp_path / "t", SYSTEM_FIRST)
    described = card("open", tokenizer=str(folder))
    (outcome,) = played(described, lambda case: about(case, "begins with a system message behind a question"))
    assert outcome.judgement.verdict is Verdict.INCONCLUSIVE
    assert "system first" in outcome.judgement.reason


@pytest.mark.parametrize("rollouts", ["control", "open"])
@pytest.mark.parametrize("mutant", ["system_first", "results_joined", "none_as_text", "one_question"])
def test_a_prompt_of_changed_messages_is_found(rollouts: str, mutant: str) -> None:
    outcomes = played(card(rollouts), lambda case: about(case, "begins with", "server adds"), mutant)
    assert "TRAINER-183" in found(outcomes) <= {"TRAINER-183", "TRAINER-185"}


@pytest.mark.parametrize("mutant", ["system_first", "results_joined", "none_as_text", "one_question"])
def test_the_record_shows_the_prompts_of_the_dialect_callback(mutant: str) -> None:
    described = card("control", {"TRAINER_DIALECTS": '["callback"]'}, dialects=["callback"])
    outcomes = played(described, lambda case: about(case, "begins with", "server adds"), mutant)
    assert found(outcomes) == {"TRAINER-183"}


@pytest.mark.parametrize("rollouts", ["control", "open"])
def test_the_reference_renders_each_of_them(rollouts: str) -> None:
    outcomes = played(card(rollouts), lambda case: about(case, "conversation that begins with", "server adds"))
    assert [outcome.judgement.verdict for outcome in outcomes] == [Verdict.PASS] * 9


@pytest.mark.parametrize(("text", "right"), [("assistant: {}", True), ("assistant: None{}", True), ("None", False)])
def test_a_chat_server_may_give_its_template_another_form_too(tmp_path: Path, text: str, right: bool) -> None:
    """CHAT-025: the content null as it was sent, or as "". `{}` stands for the arguments."""
    described = tokens.Tokens(with_template(tmp_path / "t", PLAIN))
    ids = described.encode(text.replace("{}", '{"a": 5, "b": 3}'))
    body = {"choices": [], "prompt_token_ids": ids}
    response = ChatResponse("it", 0, {"messages": [CALLING]}, 200, body)
    view = CaseView(Trace(), Responses({"it": response}, ["it"]), replace(BENCH, tokens=described))
    assert {type(one) for one in prompts(view)} == {Satisfied if right else Finding}
