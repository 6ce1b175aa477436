"""Target cards: whose members they have, what they keep secret, what of a target they move, and the command that writes one."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine import redaction, yaml_source
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.target_card import Card, card_as
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.profiles import OURS, PROFILES, member_of_another
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.token_id_locations import card_form, place_of_ids, with_ids_at
from rollout_conformance.steps.profiles.rollout.card import RolloutCard
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.run_setup import RunOptions, card_of, ready
from rollout_conformance.steps.scenario.schema import card_schema
from rollout_conformance.steps.tests.test_probe import KEY, NOT_FOUND, REPLY, Target, answer, played, refusal

LOCATION = "choices[].provider_specific_fields.token_ids"
MOVED = {"provider_specific_fields": {"token_ids": [5, 6], "prompt_token_ids": [1]}}
Answers = Callable[[Request], Response]


def written(tmp_path: Path, text: str, profile: str) -> Card:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    return card_of(RunOptions(profile=profile, card=file), PROFILES[profile])


@pytest.mark.parametrize(
    ("profile", "text", "says"),
    [
        (
            "chat",
            "max_concurrent: 2\n",
            "x.yaml:1:1: max_concurrent: 'max_concurrent' is a member of the cards of rollout",
        ),
        ("trainer", "tools: []\n", "'tools' is a member of the cards of rollout; this card is of the profile trainer"),
        ("rollout", "model: m\n", "'model' is a member of the cards of trainer, chat, router, training and worker"),
        ("router", "token_ids_at: x\n", "'token_ids_at' is a member of the cards of trainer and chat"),
        ("chat", "modle: m\n", "unknown key 'modle'. Did you mean model"),
        ("chat", "health: healthz\n", "health: "),
    ],
)
def test_a_member_of_another_profile_is_refused(tmp_path: Path, profile: str, text: str, says: str) -> None:
    with pytest.raises(SuiteError) as told:
        written(tmp_path, text, profile)
    assert says in str(told.value)


def test_the_members_that_every_profile_has_are_of_no_other(tmp_path: Path) -> None:
    text = "headers: {x-a: b}\nkeys: {other: k-of-another}\nvariants: {small: {env: {A: b}}}\n"
    for name in OURS:
        card = written(tmp_path, text, name)
        assert type(card) is PROFILES[name].card
        assert card.declares("other")
        assert card.declares("small")
        assert not card.declares("large")


def test_a_card_without_members_of_its_own_is_a_card_of_any_profile() -> None:
    plain = Card(patience_s=3.0, headers={"x-a": "b"})
    assert card_as(RolloutCard, plain) == RolloutCard(patience_s=3.0, headers={"x-a": "b"})
    assert card_as(RouterCard, plain) == RouterCard(patience_s=3.0, headers={"x-a": "b"})


def test_no_output_shows_a_key_or_a_header_that_holds_one() -> None:
    config = '{"provider": "openai", "api_key": "sk-of-the-gateway-1"}'
    headers = {
        "x-gw-api-key": "pk-of-the-user-1",
        "authorization": "Basic dXNlcjpvbmU=",
        "x-gw-config": config,
        "x-team": "blue-team",
    }
    card = Card(key="key-of-mine-1", keys={"other": "key-of-another-1"}, headers=headers)
    for secret in card.secrets():
        redaction.remember(secret)
    told = " ".join([*headers.values(), "key-of-mine-1", "key-of-another-1"])
    shown = redaction.redacted(told)
    for secret in ("pk-of-the-user-1", "dXNlcjpvbmU=", "sk-of-the-gateway-1", "key-of-mine-1", "key-of-another-1"):
        assert secret in told
        assert secret not in shown
    assert "blue-team" in shown
    assert "openai" in shown


def heard(answers: Answers) -> tuple[list[Request], Answers]:
    """Answers that note the requests that they are given."""
    requests: list[Request] = []

    def noting(request: Request) -> Response:
        requests.append(request)
        return answers(request)

    return requests, noting


def chats(request: Request) -> Response:
    """A server without a list of models, which requires a model."""
    if request.path != "/v1/chat/completions":
        return NOT_FOUND
    return REPLY if b'"my-model"' in request.body else answer(422, {"detail": "the member model is missing"})


@pytest.mark.parametrize("how", ["option", "card"])
def test_a_model_that_is_named_is_not_looked_for(how: str) -> None:
    requests, answers = heard(chats)
    named = {"model": "my-model"}
    assert played(answers, named if how == "card" else None, profile="chat", **(named if how == "option" else {})) == (
        "openai",
    )
    assert not [one for one in requests if one.path == "/v1/models"]
    assert all(b'"my-model"' in one.body for one in requests if one.method == "POST")


def test_a_target_that_wants_a_model_is_told_so() -> None:
    assert "give --model NAME, or `model:` on the card" in refusal(chats, profile="chat")


@pytest.mark.parametrize("profile", ["chat", "router", "rollout", "trainer", "training"])
def test_the_headers_of_a_card_are_sent_with_every_request(profile: str) -> None:
    requests, answers = heard(chats)
    with contextlib.suppress(SuiteError):
        played(answers, {"headers": {"x-team": "blue"}}, profile=profile)
    assert requests
    assert [one.path for one in requests if one.header("x-team") != "blue"] == []


def test_a_key_is_given_once() -> None:
    with pytest.raises(SuiteError, match="give the key once"):
        played(chats, {"headers": {"Authorization": "Bearer x"}, "key": KEY}, profile="chat")


def test_health_and_metrics_are_read_where_the_card_says() -> None:
    requests, answers = heard(chats)
    played(answers, {"model": "my-model", "health": "/up", "metrics": "/stats"}, profile="chat")
    assert {"/up", "/stats"} <= {one.path for one in requests}
    assert not {"/health", "/metrics"} & {one.path for one in requests}


def test_token_ids_are_read_where_the_card_says() -> None:
    body = {"choices": [{"index": 0, **MOVED}]}
    assert place_of_ids(body) == "choices[0].provider_specific_fields.token_ids"
    assert card_form("choices[0].provider_specific_fields.token_ids") == LOCATION
    found = with_ids_at(body, LOCATION)
    assert (found["choices"][0]["token_ids"], found["prompt_token_ids"]) == ([5, 6], [1])
    assert with_ids_at(body, None) is body


@pytest.mark.parametrize(
    ("at", "body"),
    [
        ("choices[].message.fields.ids", {"choices": [{"message": {"fields": {"ids": [5, 6]}}}]}),
        ("choices[].message.fields.ids", {"choices": [{"delta": {"fields": {"ids": [5, 6]}}}]}),
        ("extra.ids", {"choices": [{}], "extra": {"ids": [5, 6]}}),
        ("choices[].other", {"choices": [{"token_ids": [5, 6], "other": [7]}]}),
    ],
)
def test_token_ids_may_be_in_a_message_a_chunk_or_the_whole(at: str, body: dict[str, object]) -> None:
    assert with_ids_at(body, at)["choices"][0]["token_ids"] == [5, 6]


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"choices": None}, {"choices": [None, 5, {"message": 3}]}, {"choices": [{"fields": {"ids": "x"}}]}],
)
def test_a_response_without_token_ids_stays_as_it_is(body: object) -> None:
    assert with_ids_at(body, "choices[].fields.ids") == body


def test_a_skip_says_where_token_ids_were_looked_for_and_seen() -> None:
    reply = answer(200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, **MOVED}]})
    card = ChatCard(model="m", patience_s=0.2, settle_s=0)
    assert "looked for at choices[].token_ids" in (_skip(reply, card) or "")
    seen = "was seen at choices[0].provider_specific_fields.token_ids: is it `token_ids_at` on the card?"
    assert seen in (_skip(reply, card) or "")
    assert _skip(reply, card.model_copy(update={"token_ids_at": LOCATION})) is None


def _skip(reply: Response, card: ChatCard) -> str | None:
    """Why a case is skipped that needs token ids."""

    async def looked() -> str | None:
        async with (
            asgi_binding.serve(Target(lambda request: reply)) as url,
            ready(RunOptions(profile="chat", target=url, described=card)) as run,
        ):
            return run.peers.lacks(replace(run.profile.greeting("openai"), needs=frozenset({"token_ids"})))

    return asyncio.run(looked())


@pytest.mark.parametrize("name", list(OURS))
def test_the_card_that_is_written_for_a_reference_is_accepted(tmp_path: Path, name: str) -> None:
    profile, file = PROFILES[name], tmp_path / "my.yaml"
    result = CliRunner().invoke(cli, ["card", "--profile", name])
    assert result.exit_code == 0, result.output
    file.write_text(result.output, encoding="utf-8")
    elsewhere = partial(member_of_another, profile=profile)
    card = cards.load(file, profile.card, profile.dialects, profile.unknown_capability, elsewhere)
    assert tuple(card.dialects) == profile.dialects
    assert card.key is None
    assert card.keys == {}


@pytest.mark.parametrize("name", list(OURS))
def test_what_a_written_card_has_as_comments_may_be_declared(name: str) -> None:
    profile = PROFILES[name]
    result = CliRunner().invoke(cli, ["card", "--profile", name])
    told = [
        line.removeprefix("# - ").partition("  #")[0] for line in result.output.splitlines() if line.startswith("# - ")
    ]
    assert told
    assert [one for one in told if profile.unknown_capability(one)] == []


@pytest.mark.parametrize("name", list(OURS))
def test_the_documentation_has_every_member_of_a_card(name: str) -> None:
    page = (ROOT / "docs" / "target_card.md").read_text(encoding="utf-8")
    assert [member for member in PROFILES[name].card.model_fields if f"\n| `{member}` |" not in page] == []


@pytest.mark.parametrize("name", list(OURS))
def test_the_schema_of_a_card_has_every_member(name: str) -> None:
    made = json.loads((ROOT / "scenarios" / "cards" / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert made == card_schema(PROFILES[name])
    validator = jsonschema_rs.validator_for(made)
    assert list(validator.iter_errors(yaml_source.read(PROFILES[name].reference.card).value)) == []
