"""The generation requests of the rollout server that the suite plays, and the history that grows by their responses."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mappings
from rollout_conformance.steps.engine.trace import Headers, Request
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.trainer import wrong_requests
from rollout_conformance.steps.profiles.trainer.rollout_naming import names_another, naming
from rollout_conformance.steps.profiles.trainer.sent_keys import Key, key_headers
from rollout_conformance.steps.profiles.trainer.starting import JSON_HEADER
from rollout_conformance.steps.profiles.trainer.state import (
    Call,
    CaseContext,
    RolloutState,
    TrainerSession,
    inserted,
    insertions,
    read_body,
    rollout_state,
    rollout_states,
    sound,
)
from rollout_conformance.steps.profiles.trainer.truncation import count
from rollout_conformance.steps.profiles.trainer.wrong_requests import History, Mask

DEFAULT_MODEL = "default"
NO_OTHER_URL = "the `server_url` of the start request does not show the rollout_id: no URL names an unknown rollout"


@verb(
    "generate",
    short="rollout",
    example=(
        "{response_mask: short}",
        "{rollout: a, key_of: b}",
        "{concurrent: 3}",
        "{rollout_id: rc-unknown-1x}",
        "{branch: b, history: forked}",
    ),
)
@phrase("the rollout server requests the next generation")
@phrase("the rollout server requests the next generation with a {response_mask} response mask")
@phrase("the rollout server requests the next generation with a wrong history: {history}")
@phrase("the rollout server requests the next generation without a key", key="none")
@phrase("the rollout server requests the next generation with a wrong key", key="wrong")
@phrase("the rollout server requests the next generation with the key of {key_of}")
@phrase("the rollout server requests the next generation for the rollout id {rollout_id}")
@phrase(
    "the rollout server requests the next generation with these members:",
    block="members",
    example={"members": "temperature: 0.5\nstop: ['.']"},
)
@phrase("the rollout server requests the next generation {concurrent} times at once")
@phrase("the rollout server requests the next generation with {added_words} more words in the last message")
@phrase("the rollout server requests the next generation in the branch {branch}")
@phrase("the rollout server requests the next generation in the branch {branch}, with another history: {history}")
@phrase("the rollout server repeats its last generation request", repeat=True)
@dataclass(frozen=True, slots=True)
class Generate:
    """Request the next generation of a rollout from the trainer; its response becomes part of the history."""

    rollout: str = ""
    "The name of the rollout within the case, where the case has several."
    response_mask: Mask = "correct"
    "The response mask that is sent (dialect `sync`). All but `correct` have one thing wrong."
    history: History = "correct"
    "The history that is sent. All but `correct` differ in one thing from what the trainer generated before."
    key: Key = "own"
    "The key that is sent: the one that the trainer issued for the rollout, or none or a wrong one instead."
    key_of: str = ""
    "The name of another rollout whose key is sent."
    rollout_id: str = ""
    "Another rollout id to send, instead of that of the rollout."
    branch: str = ""
    "The name of a branch that is continued, or begun with `history` as its own: at a trainer with the capability `branches`."
    repeat: bool = False
    "Whether to send the last correct generation request again, byte for byte."
    concurrent: int = 1
    "How many times the request is sent at once."
    max_tokens_percent: int = 0
    "`max_tokens`, in percent of the tokens that the first generation of the case has: so few that the same generation is truncated."
    leave_after_s: float = 0.0
    "When the rollout server closes the connection, without waiting for the generation any longer."
    added_words: int = 0
    "How many words are added to the last message: so many that no context takes them."
    added_messages: tuple[Mapping[str, Any], ...] = ()
    "What the rollout server adds to the history behind the results of the calls, or behind its next question."
    members: Mapping[str, Any] = field(default_factory=dict)
    "Members of the request, instead of those that it has by default."

    async def perform(self, session: TrainerSession) -> None:
        part = self._line(rollout_state(session.state, self.rollout))
        if self._changes_nothing(part):
            session.state["no_occasion"] = f"nothing in the history could be changed as {self.history} says"
            return
        if self.rollout_id and not names_another(session.context.place, part, self.rollout_id):
            session.state["no_occasion"] = NO_OTHER_URL
            return
        if refused := _refused_by_template(session, part):
            session.state["no_occasion"] = refused
            return
        correct = [call for call in part.calls if call.right and call.retry is None]
        repeated = correct[-1].n if self.repeat and correct else None
        body = dict(correct[-1].body) if self.repeat and correct else self._body(session, part)
        requests = (self._send(session, part, body, repeated if n == 0 else -1) for n in range(self.concurrent))
        await asyncio.gather(*requests)

    def _changes_nothing(self, part: RolloutState) -> bool:
        """Whether the history that would be sent as a wrong one is the right one, such as one without any tool call."""
        if self.history == "correct" or "messages" in self.members or not part.history:
            return False
        return not self.branch and wrong_requests.history(part.history, self.history) == part.history

    def _line(self, part: RolloutState) -> RolloutState:
        """The conversation that the request continues: that of the rollout, or one of its branches."""
        return part.branch(self.branch, wrong_requests.history(part.history, self.history)) if self.branch else part

    def is_correct(self) -> bool:
        """Whether nothing but `members` was made wrong on purpose; what other members do is left to the case."""
        as_wanted = self.history == "correct" or bool(self.branch)
        correct = as_wanted and (self.response_mask, self.key) == ("correct", "own")
        return correct and not (self.key_of or self.rollout_id or self.added_words or self.leave_after_s)

    def _body(self, session: TrainerSession, part: RolloutState) -> dict[str, object]:
        context: CaseContext = session.context
        messages = wrong_requests.history(part.history, "correct" if self.branch else self.history)
        body: dict[str, object] = {
            "model": DEFAULT_MODEL,
            "messages": wrong_requests.lengthened(messages, self.added_words),
            **naming(context.place, part, self.rollout_id or part.rollout_id).members,
            **part.sampling,
            "stop": None,
            **context.named_model,
            **({"tools": list(part.sent_tools)} if part.sent_tools else {}),
        }
        if context.dialect == "sync" and context.described.response_mask and self.response_mask != "missing":
            more = self.added_words * wrong_requests.tokens_per_word(context.tokens)
            lengths = tuple(length + more for length in insertions(context.tokens, part))
            body["response_mask"] = wrong_requests.response_mask(self.response_mask, lengths)
        if self.max_tokens_percent:
            body["max_tokens"] = max(1, _first_length(session) * self.max_tokens_percent // 100)
        return {**body, **self.members}

    async def _send(
        self, session: TrainerSession, part: RolloutState, body: Mapping[str, object], retry: int | None
    ) -> None:
        owner = rollout_states(session.state)[self.key_of] if self.key_of else part
        abandoned = any(call.left and call.body == body for call in part.calls)
        again = RETRY_HEADER if retry is not None or abandoned else ()
        headers = (*key_headers(session, owner, self.key, self.rollout_id), *again)
        n = await post_generation(session, part, body, headers, self.leave_after_s or None, self.rollout_id)
        part.calls.append(Call(n, body, self.is_correct(), retry, self.added_words, self.leave_after_s > 0))
        good = status_of(session, n) == 200
        session.trace.event(part.label, "trainer", "GenerationReturned" if good else "GenerationRejected", n)
        if good and self.is_correct() and retry is None:
            _add_to_history(session, part, n, part.calls[-1])
            part.history = [*part.history, *(dict(one) for one in self.added_messages)]


def _refused_by_template(session: TrainerSession, part: RolloutState) -> str:
    """Why the trainer may refuse the history: its chat template does. "" where it does not."""
    try:
        session.context.tokens.render(part.history, part.tools)
    except SuiteError as error:
        return f"{error}"
    return ""


def _first_length(session: TrainerSession) -> int:
    """How many tokens the first generation of the case has, as the trainer counts them."""
    calls = sorted(call.n for part in rollout_states(session.state).values() for call in part.calls)
    reply = _reply(session, calls[0]) if calls else {}
    return len(listed(reply.get("token_ids"))) or count(reply, "completion_tokens") or 0


# What the SDKs of OpenAI send with a request that they send again; a trainer may know a retry by it.
RETRY_HEADER: Headers = (("x-stainless-retry-count", "1"),)


async def post_generation(
    session: TrainerSession,
    part: RolloutState,
    body: Mapping[str, object],
    headers: Headers,
    within_s: float | None = None,
    another_id: str = "",
) -> int:
    """Send a generation request for a rollout, or for another id; `body` has its name where `rollout_id_in` is `body`."""
    name = naming(session.context.place, part, another_id or part.rollout_id)
    sent = (JSON_HEADER, *name.headers, *headers)
    request = Request("POST", f"{name.path}/v1/chat/completions", sent, json.dumps(body).encode())
    asked = "GenerationRequested"
    return await session.send(request, part.label, within_s, sent=asked, by="server", base_url=name.base_url)


@dataclass(frozen=True, slots=True)
class GenerateMinimal:
    """Request a generation with the members that no trainer can do without, to learn whether the others are what it rejects."""

    async def perform(self, session: TrainerSession) -> None:
        part = rollout_state(session.state, "")
        context = session.context
        named = naming(context.place, part, part.rollout_id).members
        body = {"model": DEFAULT_MODEL, "messages": part.history, **named, **context.named_model}
        n = await post_generation(session, part, body, key_headers(session, part, "own"))
        part.calls.append(Call(n, body, right=False))


def _is_truncated(session: TrainerSession, reply: Mapping[str, object]) -> bool:
    """Whether the end of the turn was not sampled: at `max_tokens`, or at a stop text."""
    ids = [one for one in listed(reply.get("token_ids")) if isinstance(one, int)]
    if ids:
        return not session.context.tokens.ends_turn(ids)
    return mappings(reply.get("choices"))[0].get("finish_reason") == "length"


def _add_to_history(session: TrainerSession, part: RolloutState, n: int, call: Call) -> None:
    """The generation becomes part of the history, and so does what the rollout server adds behind it."""
    reply = _reply(session, n)
    message = next((choice.get("message") for choice in mappings(reply.get("choices"))), None)
    if not isinstance(message, dict) or not sound(message):
        return
    tools = part.tools
    ids, prompt, sent = reply.get("token_ids"), reply.get("prompt_token_ids"), listed(call.body.get("messages"))
    part.answered = len(sent) + 1
    part.prompt = len(prompt) if isinstance(prompt, list) else len(session.context.tokens.prompt_ids(sent, tools))
    part.sampled = len(ids) if isinstance(ids, list) else 0
    part.truncated = _is_truncated(session, reply)
    turn = sum(call.right and call.retry is None for call in part.calls)
    part.history = [*sent, message, *inserted(message, turn)]


def _reply(session: TrainerSession, n: int) -> JsonObject:
    return read_body(session.trace.exchanges[n].response, session.context.described.token_ids_at)


def status_of(session: TrainerSession, n: int) -> int | None:
    response = session.trace.exchanges[n].response
    return response.status if response else None
