"""What the suite does to a rollout server: one frozen value a verb. They drive; none of them judges."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Headers, Request, Response, parse
from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.peers.token_oracle import sampled_by
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.peers.trainer import Enrolled, scripted
from rollout_conformance.steps.profiles.rollout.context import CaseContext, RolloutState, rollout_state, rollout_states
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartOverrides, StartRequest, compose

RETRY_AFTER_S = 0.2  # how long to wait before asking a busy server again that does not say
LONGEST_RETRY_AFTER_S = 5.0
AGAIN_S = 2.0  # how long a server that may ask again, or not, is listened to
MORE, MOST = 4, 128  # how far over the declared limit, and where a limit is too large to be reached


@dataclass(frozen=True, slots=True)
class TrainerSays:
    """Give the trainer its part in a rollout."""

    script: Script
    rollout: str = ""

    @property
    def waits_s(self) -> float:
        """How long the trainer keeps the server waiting at most, on one request."""
        return max((line.delay_s for line in self.script.lines), default=0.0)

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        part.script = Script(part.script.lines + self.script.lines, part.script.acks + self.script.acks)


@dataclass(frozen=True, slots=True)
class StartWith:
    """Say how the start request of a rollout differs from the ordinary one."""

    wanted: StartOverrides
    rollout: str = ""

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        part.wanted = part.wanted.and_also(self.wanted)


@dataclass(frozen=True, slots=True)
class Start:
    """Start a rollout, or `copies` of it at once, each with an id, a key and numbers of its own. No copies (0) stands for
    some more than the target's declared limit.

    `patient` waits and asks again when the server says 429, as a trainer would.
    """

    rollout: str = ""
    copies: int = 1
    patient: bool = True

    async def perform(self, session: Session) -> None:
        copies = self.copies or min((session.context.limits.max_concurrent or 0) + MORE, MOST)
        labels = [self.rollout] if copies == 1 else [f"{self.rollout}#{n + 1}" for n in range(copies)]
        await asyncio.gather(*(self._one(session, label) for label in labels))

    async def _one(self, session: Session, label: str) -> None:
        origin = rollout_state(session.state, self.rollout)
        part = origin if label == self.rollout else rollout_state(session.state, label)
        part.wanted, part.script = origin.wanted, origin.script
        enroll(session, part)
        await ask(session, part, self.patient)


@dataclass(frozen=True, slots=True)
class Again:
    """Send the start request once more, `times` times, together or one after the other; `change` is merged over it.

    `new_id` gives the copies a rollout id of their own, as when a key is used twice.
    """

    rollout: str = ""
    times: int = 1
    together: bool = False
    change: Mapping[str, Any] = field(default_factory=dict)

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        if part.given is None:
            enroll(session, part)
        work = [ask(session, part, True, self.change) for _ in range(self.times)]
        if self.together:
            await asyncio.gather(*work)
            return
        for one in work:
            await one


@dataclass(frozen=True, slots=True)
class End:
    """Wait until a rollout has ended: answered (sync), or its completion acknowledged (callback). Empty: all of them."""

    rollout: str = ""

    async def perform(self, session: Session) -> None:
        parts = [p for label, p in rollout_states(session.state).items() if self._means(label)]
        await asyncio.gather(*(_ended(session, part) for part in parts if part.given is not None))

    def _means(self, label: str) -> bool:
        return self.rollout in ("", "all", label) or label.startswith(f"{self.rollout}#")


@dataclass(frozen=True, slots=True)
class Reported:
    """Wait until a rollout has reported its end at least `times` times, acknowledged or not."""

    rollout: str = ""
    times: int = 1

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        if session.context.dialect == "sync":
            await _ended(session, part)
            return
        what = f"completion callback number {self.times}"
        await session.until(lambda: _count(session, part, "CompletedPosted") >= self.times, what)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Wait until the case has heard nothing more for `for_s`: a server that tries again and again has given up."""

    for_s: float = 0.5

    async def perform(self, session: Session) -> None:
        await session.settle(self.for_s)


@dataclass(frozen=True, slots=True)
class CallArrives:
    """Wait for the n-th generation call of a rollout."""

    nth: int
    rollout: str = ""

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        what = f"generation call number {self.nth}"
        await session.until(lambda: self._came(session, part) or _finished(session, part), what)
        if not self._came(session, part):
            raise WaitTimeout(what)

    def _came(self, session: Session, part: RolloutState) -> bool:
        return _count(session, part, "ChatAsked") >= self.nth


@dataclass(frozen=True, slots=True)
class Release:
    """Let every reply go that the script holds under this name."""

    name: str

    async def perform(self, session: Session) -> None:
        session.hold(self.name).set()


@dataclass(frozen=True, slots=True)
class Ask:
    """Any other request to the server. `key` replaces the target's key; an empty string sends none."""

    method: str
    path: str
    body: bytes = b""
    headers: Headers = ()
    key: str | None = None

    async def perform(self, session: Session) -> None:
        headers = self.headers + _authorization(session.context, self.key)
        within_s = session.patience_s if self.method == "GET" else None  # no rollout is waited for
        await session.send(Request(self.method, self.path, headers, self.body), rollout="-", deadline_s=within_s)


@dataclass(frozen=True, slots=True)
class StartAs:
    """Send the start request with these credentials instead of the target's key: a whole header value, or none.

    `{key}` in it stands for the target's key; `length` sends a key of so many characters.
    """

    authorization: str | None = None
    length: int = 0
    rollout: str = ""
    raw: bytes | None = None

    async def perform(self, session: Session) -> None:
        part = rollout_state(session.state, self.rollout)
        enroll(session, part)
        if self.raw is not None:
            part.wanted = replace(part.wanted, raw=self.raw)
        value = "Bearer " + "k" * self.length if self.length else self.authorization
        key = session.context.target_key or ""
        headers: Headers = () if value is None else (("authorization", value.replace("{key}", key)),)
        await ask(session, part, True, headers=headers)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel rollouts (routed dialect): those named, those whose id begins with `prefix`, or `everything` there is.

    `prefix` may be `ours`: what all ids of this case's rollout begin with. `raw` replaces the body.
    """

    rollouts: tuple[str, ...] = ()
    prefix: str = ""
    everything: bool = False
    raw: bytes | None = None

    async def perform(self, session: Session) -> None:
        labels = self.rollouts or tuple(rollout_states(session.state))
        givens = [part.given for label in labels if (part := rollout_state(session.state, label)).given is not None]
        for given in givens:
            if given is not None:
                session.trace.event(given.label, "trainer", "CancelSent", len(session.trace.exchanges))
        headers = (("content-type", "application/json"), *_authorization(session.context, None))
        body = self.raw if self.raw is not None else json.dumps(self._body(givens)).encode()
        await session.send(Request("POST", "/rollout/cancel", headers, body), rollout="-")

    def _body(self, givens: list[Any]) -> dict[str, Any]:
        ids = [given.rollout_id for given in givens]
        if self.everything:
            return {"all": True}
        if self.prefix:
            return {"prefix": _shared(ids) if self.prefix == "ours" else self.prefix}
        return {"rollout_ids": ids}


def _shared(ids: list[str]) -> str:
    """What all of these begin with."""
    return "".join(
        column[0] for column in itertools.takewhile(lambda some: len(set(some)) == 1, zip(*ids, strict=False))
    )


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Ask where a rollout stands (routed dialect), under its own id or `under` another."""

    rollout: str = ""
    under: str = ""

    async def perform(self, session: Session) -> None:
        given = rollout_state(session.state, self.rollout).given
        name = self.under or (_shown_id(session, self.rollout) or (given.rollout_id if given else ""))
        path = f"/rollout/{quote(name, safe='')}/status"
        await session.send(Request("GET", path, _authorization(session.context, None)), rollout="-")


def _shown_id(session: Session, label: str) -> str:
    """The id that the answer to a start request shows, for one that was sent without."""
    starts = [e for e in session.trace.exchanges if e.to_target and e.rollout == label and e.response is not None]
    body = parse(starts[-1].response.body) if starts and starts[-1].response else None
    shown = body.get("rollout_id") if isinstance(body, dict) else None
    return shown if isinstance(shown, str) else ""


@dataclass(frozen=True, slots=True)
class StopServer:
    """Ask the server to end (SIGTERM) and wait until it has. Needs a case that has the target to itself."""

    async def perform(self, session: Session) -> None:
        await session.state["target"].stop()


def enroll(session: Session, part: RolloutState) -> StartRequest:
    """Make the trainer know a rollout before the server is told of it: a call may come before the answer does."""
    context: CaseContext = session.context
    tokenizer, name = context.tokens_for(part.wanted)
    nonce = context.nonce()
    number = int(nonce.rpartition("-")[2].rstrip("x"))
    script = context.resolved(part.script, number % 89)
    wanted = _resolved(session, part.wanted, script, tokenizer)
    given = compose(context.dialect, part.label, nonce, context.trainer_url, name, wanted)
    enroll_as(session, part, given, tokenizer, script)
    return given


def enroll_as(session: Session, part: RolloutState, given: StartRequest, tokenizer: Tokens, script: Script) -> None:
    """Make the trainer know the rollout `given`, and play `script` in it."""
    context: CaseContext = session.context
    part.given = given
    part.enrolled = Enrolled(
        part.label,
        given.rollout_id,
        given.key,
        given.nonce,
        session.trace,
        tokenizer,
        script,
        session.hold,
        context.tool_schemas(),
        bool(session.state.get("sampled")),
    )
    context.trainer.enroll(part.enrolled)


def _resolved(session: Session, wanted: StartOverrides, script: Script, tokenizer: Tokens) -> StartOverrides:
    """The wishes with everything filled in that only a running case knows."""
    body = dict(wanted.body)
    if wanted.budget is not None:
        first, more = wanted.budget
        body["max_tokens_total"] = sampled_by(tokenizer, script.lines[:first], session.context.tool_schemas()) + more
    key = body.get("idempotency_key")
    if isinstance(key, Mapping) and "unique" in key:
        session.state.setdefault("unique", session.context.nonce())
        body["idempotency_key"] = f"{key['unique']}-{session.state['unique'].rstrip('x')}"
    elif isinstance(key, Mapping) and "id_of" in key:
        other = rollout_state(session.state, str(key["id_of"])).given
        body["idempotency_key"] = other.rollout_id if other else ""
    return replace(wanted, body=body)


async def ask(
    session: Session,
    part: RolloutState,
    patient: bool,
    change: Mapping[str, Any] | None = None,
    headers: Headers | None = None,
) -> None:
    """Send a start request. The sync dialect answers at the end of the rollout, so nobody waits for it here."""
    assert part.given is not None
    body = (
        part.wanted.raw if part.wanted.raw is not None else json.dumps({**part.given.body, **(change or {})}).encode()
    )
    fields = (
        ("content-type", "application/json"),
        *(_authorization(session.context, None) if headers is None else headers),
    )
    request = Request("POST", START_PATH[session.context.dialect], fields, body)
    deferred = asyncio.Event()
    asking = session.spawn(_asked(session, part.label, request, patient, deferred))
    part.asking.append(asking)
    if session.context.dialect != "sync":
        # A server that has no place now is asked again meanwhile; what the case does next may be what frees one.
        waiting = asyncio.ensure_future(deferred.wait())
        await asyncio.wait({asking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    else:
        await asyncio.sleep(0)


async def _asked(session: Session, label: str, request: Request, patient: bool, deferred: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + session.patience_s * 6
    while True:
        n = await session.send(request, label, sent="StartSent")
        response = session.trace.exchanges[n].response
        if response is None or not _busy(response) or not patient or loop.time() > end:
            break
        session.busy()
        deferred.set()
        await asyncio.sleep(_retry_after(response.header("retry-after")))
    if response is not None:
        concluded(session, label, n, response)


def concluded(session: Session, label: str, n: int, response: Response) -> None:
    """Note what the answer to a start request means."""
    sync = session.context.dialect == "sync"
    # Any 2xx takes a rollout on; that it should have been a 202 is one breach, and not a reason to miss all others.
    if response.status == 200 if sync else 200 <= response.status < 300:
        session.trace.event(label, "server", "ResultReturned" if sync else "StartAccepted", n)
    elif _all_refused(session, label):
        session.trace.event(label, "server", "StartRefused", n)


def _busy(response: Response) -> bool:
    """Whether the server asks to come again: 429, or 503 with a time."""
    return response.status == 429 or (response.status == 503 and response.header("retry-after") is not None)


def _all_refused(session: Session, label: str) -> bool:
    starts = [e for e in session.trace.exchanges if e.to_target and e.rollout == label]
    return all(start.response is not None and not 200 <= start.response.status < 300 for start in starts)


def _retry_after(value: str | None) -> float:
    try:
        return min(max(float(value or RETRY_AFTER_S), 0.01), LONGEST_RETRY_AFTER_S)
    except ValueError:
        return RETRY_AFTER_S


async def _ended(session: Session, part: RolloutState) -> None:
    if session.context.dialect == "sync":
        pending = [task for task in part.asking if not task.done()]
        what = "the answer to POST /rollout"
        await session.until(lambda: all(task.done() for task in pending), what) if pending else None
        return
    what = (
        "an acknowledged completion"
        if session.context.dialect == "routed"
        else "an acknowledged POST /v1/rollout/completed"
    )
    with session.context.ends.awaited(session):
        await session.until(lambda: _over(session, part) or _cut_acks(session, part), what)
    if not _over(session, part):
        await session.settle(AGAIN_S)


def _cut_acks(session: Session, part: RolloutState) -> bool:
    """Whether the answer to a completion was cut off behind its status: a server may take that for the acknowledgement, or ask again."""
    unacked = session.trace.by_name.get((part.label, "CompletedUnacked"), ())
    return any(session.trace.exchanges[event.exchange].fault == scripted("cut") for event in unacked)


def _over(session: Session, part: RolloutState) -> bool:
    acked = _count(session, part, "CompletedAcked")
    if _count(session, part, "GradedAcked"):  # after the completion, acknowledged or given up
        return True
    if acked:
        return session.context.dialect != "routed" or not _owes_a_grade(session, part)
    return bool(_count(session, part, "StartRefused")) and not _count(session, part, "StartAccepted")


def _finished(session: Session, part: RolloutState) -> bool:
    """Whether nothing more can come of a rollout: it was refused, or has its result."""
    if session.context.dialect == "sync":
        return bool(part.asking) and all(task.done() for task in part.asking)
    return _over(session, part)


def _owes_a_grade(session: Session, part: RolloutState) -> bool:
    """Whether a graded sample follows the completion: somebody asked for it, and the rollout succeeded."""
    assert part.given is not None
    if not part.given.body.get("grader_callback_url"):
        return False
    posts = session.trace.by_name.get((part.label, "CompletedPosted"))
    if not posts:
        return False
    known: dict[int, bool] = session.state.setdefault("succeeded", {})  # it is asked after each event
    n = posts[0].exchange
    if n not in known:
        body = parse(session.trace.exchanges[n].request.body)
        known[n] = isinstance(body, dict) and body.get("status") == "success"
    return known[n]


def _count(session: Session, part: RolloutState, name: str) -> int:
    return _count_label(session, part.label, name)


def _count_label(session: Session, label: str, name: str) -> int:
    return len(session.trace.by_name.get((label, name), ()))


def _authorization(context: CaseContext, key: str | None) -> Headers:
    key = context.target_key if key is None else key
    return (("authorization", f"Bearer {key}"),) if key else ()


__all__ = [
    "Again",
    "Ask",
    "CallArrives",
    "End",
    "Release",
    "Reported",
    "Start",
    "StartAs",
    "StartWith",
    "StopServer",
    "TrainerSays",
    "WaitTimeout",
]
