"""What may be demanded of the members of generation requests, and of the final messages."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.json_diff import ABSENT, first, show
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import RolloutExpectation, final_messages
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


def _all_in(member: str) -> Callable[[dict[str, JSON]], dict[str, JSON]]:
    """A mapping is the value of this member, unless it names the member itself."""

    def read(written: dict[str, JSON]) -> dict[str, JSON]:
        return written if member in written and set(written) <= {member, "rollout"} else {member: written}

    return read


@verb(
    "generation_request_members",
    example=("{temperature: 0.3, stop: null}", "{members: {seed: 1}, rollout: left}"),
    before=_all_in("members"),
)
@phrase("every generation request has {members:member}")
@dataclass(frozen=True, slots=True)
class GenerationRequestMembers(RolloutExpectation):
    """Every generation request has these members with these values."""

    members: Mapping[str, object]
    "null means null or absent."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        for chat in rollout.chats:
            for name, value in self.members.items():
                found = chat.fields.get(name, ABSENT)
                ok = found in (None, ABSENT) if value is None else first(value, found) is None
                yield Comparison(ok, f"{name}: {show(value)}", f"{name}: {show(found)}", (chat.n,))


@verb("retries_identify_turn", short="rollout", example="left")
@phrase("every retried generation request identifies its turn")
@dataclass(frozen=True, slots=True)
class RetriesIdentifyTurn(RolloutExpectation):
    """A retried generation request has a header or a member that identifies its turn."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        for chat, retry in zip(rollout.chats, rollout.chats[1:], strict=False):
            if not chat.delivered:
                headers = [name for name, _ in retry.exchange.request.headers]
                found = any(word in name for name in headers for word in ("idempotency", "turn", "request-id"))
                found = found or any(word in name for name in retry.fields for word in ("turn", "idempotency"))
                yield Comparison(found, "an idempotency header or a turn index", "none", (chat.n, retry.n))


@verb(
    "final_messages_contain",
    example=("{role: assistant, content: Done.}", "{message: {content: Done.}, rollout: left}"),
    before=_all_in("message"),
)
@phrase("the final messages contain a message with {message:member}")
@dataclass(frozen=True, slots=True)
class FinalMessagesContain(RolloutExpectation):
    """One of the final messages has these members, unchanged. Where the routed dialect sends no sample, nothing is judged."""

    message: Mapping[str, object]

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        if rollout.shown:
            final = final_messages(rollout)
            ok = any(isinstance(m, dict) and all(m.get(k) == v for k, v in self.message.items()) for m in final)
            yield Comparison(ok, f"a final message with {show(dict(self.message))}", show(final))


@verb("final_message_roles", short="roles", example="[system, user, assistant]")
@phrase("the roles of the final messages are {roles}")
@dataclass(frozen=True, slots=True)
class FinalMessageRoles(RolloutExpectation):
    """The final messages have these roles, in order. Where the routed dialect sends no sample, nothing is judged."""

    roles: tuple[Role, ...]

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        if rollout.shown:
            found = tuple(m.get("role") if isinstance(m, dict) else None for m in final_messages(rollout))
            yield Comparison(found == self.roles, f"roles {show(list(self.roles))}", f"roles {show(list(found))}")
