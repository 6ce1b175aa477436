"""A contract that cannot be fuzzed says why; generated rollouts are judged; coverage counts what was exercised."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.contract_coverage import Coverage, lines
from rollout_conformance.steps.engine.findings import Finding, SuiteError
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Exchange, Request, Response, Trace
from rollout_conformance.steps.fuzzing import contract as contracts
from rollout_conformance.steps.fuzzing.fuzz import Plan, fuzz, outcome
from rollout_conformance.steps.fuzzing.request_observer import Watch
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.fuzz_adapter import HELLO, Adapter, adapted_body
from rollout_conformance.steps.profiles.chat.profile import PROFILE as CHAT
from rollout_conformance.steps.profiles.chat.view import CaseContext, read
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions

HEAD = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n"
OPERATION = "  /x:\n    post:\n      requestBody: {content: {application/json: {schema: %s}}}\n      responses: {'200': {description: ok}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("paths: {}\n", "this is no OpenAPI 3 document: `openapi` is no such key"),
        ("openapi: 3.1.0\npaths: {}\n", "the contract has no `paths`"),
        ("openapi: [3.1.0\n", "c.yaml:2:1"),
        (HEAD + OPERATION % "{$ref: '#/components/schemas/Gone'}", "#/components/schemas/Gone leads nowhere"),
        (
            HEAD
            + OPERATION % "{type: string}"
            + "components: {schemas: {S: {type: integer, minimum: 3, maximum: 2}}}\n",
            "minimum 3 is more than maximum 2",
        ),
        (
            HEAD
            + OPERATION % "{type: string}"
            + "components:\n  schemas:\n    S: {properties: {a: {}}, required: [b], additionalProperties: false}\n",
            "components.schemas.S.required: b is required, and additionalProperties: false forbids it",
        ),
        (HEAD + OPERATION % "{type: integer}, example: three", "refused by its own schema"),
    ],
)
def test_a_contract_that_cannot_be_fuzzed_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(SuiteError) as told:
        contracts.load(file, "c.yaml")
    assert said in str(told.value)
    assert str(told.value).startswith("c.yaml:")


def fuzzed(mutant: str, dialect: str = "sync") -> dict[str, dict[str, tuple[Finding, str]]]:
    """The MUSTs that generated requests show to be broken, by operation, each with how it was shown and the request that showed it."""
    contract = contracts.load(ROOT / f"contracts/rollout/openapi.{dialect}.yaml", f"openapi.{dialect}.yaml")
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    card = card.model_copy(update={"env": {**card.env, "ROLLOUT_MUTANT": mutant}})
    request = RunOptions(target="app:rollout_server.mutants:create_app", dialect=dialect, described=card)
    with LoopThread() as loop_thread:
        watch = Watch.over(request, dialect, contract.shown, loop_thread)
        tallies = fuzz(contract, watch, Plan(max_examples=10))
        assert all(outcome(contract, watch, label, tally, "must").judgement for label, tally in tallies.items())
    return {
        label: {
            f.requirement: (f, command) for f, command in zip(tally.findings, tally.commands, strict=True) if _must(f)
        }
        for label, tally in tallies.items()
    }


def _must(finding: Finding) -> bool:
    return PROFILE.catalogue[finding.requirement].level == "must" and not finding.strict_only


def test_a_defect_of_the_loop_is_found_by_generated_starts() -> None:
    found = fuzzed("cool")
    assert {label: set(broken) for label, broken in found.items()} == {
        "GET /health": set(),
        "GET /tools": set(),
        "POST /rollout": {"ROLLOUT-051"},
    }, found


def test_a_defect_of_the_surface_is_found_by_the_contract() -> None:
    found = fuzzed("health_word")["GET /health"]
    assert set(found) == {"ROLLOUT-001", "ROLLOUT-300"}, found


def test_a_defect_of_the_chunks_of_a_stream_is_found_by_the_contract() -> None:
    contract = contracts.load(ROOT / "contracts" / "chat" / "openapi.yaml", "openapi.yaml")
    card = cards.load(CHAT.reference.card, CHAT.card)
    card = card.model_copy(update={"env": {**card.env, "ENGINE_MUTANT": "created_as_text"}})
    request = RunOptions(
        profile="chat", target="app:rollout_server.mutants.inference:create_app", dialect="openai", described=card
    )
    with LoopThread() as loop_thread:
        tallies = fuzz(contract, Watch.over(request, "openai", contract.shown, loop_thread), Plan(max_examples=5))
    found = {label: {f.requirement for f in tally.findings} for label, tally in tallies.items()}
    assert found == {"GET /v1/models": set(), "POST /v1/chat/completions": {"CHAT-300"}}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"model": "x"}, {"model": "m", "max_tokens": 8}),
        ({"model": 5}, {"model": 5, "max_tokens": 8}),
        ({"max_tokens": 999, "n": 99}, {"model": "m", "max_tokens": 8, "n": 3}),
        ({"max_tokens": "999"}, {"model": "m", "max_tokens": "999"}),
        ({"n": 2, "temperature": 0}, {"model": "m", "max_tokens": 8, "temperature": 0}),
        ({"top_logprobs": 3, "stream_options": {}, "tool_choice": "auto"}, {"model": "m", "max_tokens": 8}),
        ({"top_logprobs": 99}, {"model": "m", "max_tokens": 8, "top_logprobs": 99}),
        (
            {"tools": [{"function": {"name": "a"}}], "tool_choice": {"function": {"name": "b"}}},
            {
                "model": "m",
                "max_tokens": 8,
                "tools": [{"function": {"name": "a"}}],
                "tool_choice": {"function": {"name": "a"}},
            },
        ),
    ],
    ids=str,
)
def test_a_generated_request_is_made_answerable_and_what_is_wrong_stays_wrong(body: object, sent: object) -> None:
    assert isinstance(body, dict)
    assert isinstance(sent, dict)
    assert adapted_body("m", {**HELLO, **body}) == {**HELLO, **sent}


def test_coverage_counts_statuses_members_values_and_boundaries() -> None:
    body = "{type: object, properties: {n: {type: integer, minimum: 1}, kind: {enum: [a, b]}}}"
    spec = yaml_source.parse(HEAD + OPERATION % body, "c.yaml").value
    coverage = Coverage(spec)
    assert coverage.table() == [
        ("POST /x", "status", 0, 1),
        ("POST /x", "member", 0, 2),
        ("POST /x", "value", 0, 2),
        ("POST /x", "boundary", 0, 1),
    ]
    request = Request("POST", "/x", (), b'{"n": 1, "kind": "a"}')
    coverage.add([Exchange(0, True, "", request, 0.0, Response(200, (), b"{}"))])
    assert [row[2] for row in coverage.table()] == [1, 2, 1, 1]
    assert [point.what for point in coverage.missing()] == ["request.kind = 'b'"]
    assert "  never exercised: 1 of 6" in list(lines(coverage, "c.yaml"))


@pytest.mark.parametrize("shown", [(), ("token_ids", "logprobs")])
def test_generated_requests_ask_for_ids_and_logprobs_only_of_engines_that_have_them(shown: tuple[str, ...]) -> None:
    session = Session("", httpx.AsyncClient(), Trace(), 1.0, 0.0)
    session.context = CaseContext("m", None, None, ChatCard(), 4096, frozenset(shown))
    request = Request("POST", "/v1/chat/completions", (), json.dumps({**HELLO, **ASKED}).encode())
    n = session.trace.open(request, to_target=True)
    asyncio.run(Adapter().ended(session, n, request, Response(200, (), json.dumps(REPLY).encode()), False))
    view = read(session)
    found = {one.requirement for check in CHAT.invariants for one in check(view) if isinstance(one, Finding)}
    assert found == ({"CHAT-020"} if shown else set())


ASKED = {"return_token_ids": True, "logprobs": True, "max_tokens": 8}
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "Hello!", "logprob": -0.5, "bytes": None}]},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@pytest.mark.parametrize(
    ("declared", "body", "may"),
    [
        ([], {**HELLO, "temperature": "hot"}, False),
        (["no_request_sampling"], {**HELLO, "temperature": "hot"}, True),
        (["no_request_sampling"], {**HELLO, "temperature": "hot", "model": 7}, False),
        (["no_request_sampling"], {"temperature": "hot"}, False),
        (["no_request_model"], {**HELLO, "model": 7}, True),
        (["no_request_model", "no_request_sampling"], {**HELLO, "temperature": "hot", "model": 7}, True),
        (["no_request_model"], [7], False),
    ],
)
def test_what_a_proxy_imposes_may_be_wrong_in_a_generated_request(declared: list[str], body: Any, may: bool) -> None:
    assert Adapter().may_be_accepted(ChatCard.model_validate({"capabilities": declared}), body) is may
