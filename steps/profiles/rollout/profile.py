"""The profile `rollout`: a rollout server is judged, the suite plays the trainer."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.rollout.lifecycle import TABLES
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.probe_result import excerpt
from rollout_conformance.steps.engine.target_card import card_as
from rollout_conformance.steps.engine.trace import Trace, parse
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.live.trainer import Drifts, LiveTrainer, stable_number
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, tokens
from rollout_conformance.steps.peers.script import Fault
from rollout_conformance.steps.peers.trainer import ScriptedTrainer
from rollout_conformance.steps.profiles.base import NoPeers, Profile, Setting
from rollout_conformance.steps.profiles.parts import (
    Contract,
    Explore,
    Found,
    Fuzz,
    Mutants,
    Reference,
    lacking,
    possible,
)
from rollout_conformance.steps.profiles.recording import Recorder
from rollout_conformance.steps.profiles.rollout import fuzz_adapter, setup
from rollout_conformance.steps.profiles.rollout.capacity import measured
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits
from rollout_conformance.steps.profiles.rollout.case_model import RolloutCase
from rollout_conformance.steps.profiles.rollout.cause import ENDS_BY_ITSELF, cause
from rollout_conformance.steps.profiles.rollout.context import (
    CALCULATOR,
    CaseContext,
    CaseState,
    RolloutSession,
    RolloutState,
    rollout_states,
)
from rollout_conformance.steps.profiles.rollout.detected_capabilities import capabilities
from rollout_conformance.steps.profiles.rollout.fuzz_adapter import dialect_of
from rollout_conformance.steps.profiles.rollout.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.rollout.invariants.auth import auth, isolation, secrets
from rollout_conformance.steps.profiles.rollout.invariants.completion import completion, repetition
from rollout_conformance.steps.profiles.rollout.invariants.event_order import order
from rollout_conformance.steps.profiles.rollout.invariants.generation_requests import requests
from rollout_conformance.steps.profiles.rollout.invariants.history import history
from rollout_conformance.steps.profiles.rollout.invariants.http_surface import surface
from rollout_conformance.steps.profiles.rollout.invariants.leased import leased, unrequested
from rollout_conformance.steps.profiles.rollout.invariants.mask import mask
from rollout_conformance.steps.profiles.rollout.invariants.metrics import metrics, numbers
from rollout_conformance.steps.profiles.rollout.invariants.routed import routed
from rollout_conformance.steps.profiles.rollout.invariants.termination import ending, errors
from rollout_conformance.steps.profiles.rollout.invariants.tools import tools
from rollout_conformance.steps.profiles.rollout.mistakes import mistakes
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, STREAMED
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout, answer, read_rollout
from rollout_conformance.steps.profiles.rollout.vocabulary import VOCABULARY

LOOK_S = 10.0
ANSWER_S = 5.0  # an empty start request is rejected immediately
CONTRACT = Contract(ROOT / "contracts" / "rollout")
CAPABILITIES = requirements.capabilities(CONTRACT.requirements)

PATIENT_S = 9.0  # a generation response after 7 s, and some time around it
LARGE_BYTES = 5 * 2**20


@dataclass(slots=True)
class RolloutPeers(NoPeers):
    """The served trainer of a run, and what was learnt of the target."""

    setting: Setting
    trainer: ScriptedTrainer
    trainer_url: str
    tokenizer: Path
    contexts: dict[tuple[str, str], CaseContext] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    counters: dict[str, "itertools.count[int]"] = field(default_factory=dict)

    @property
    def card(self) -> RolloutCard:
        return card_as(RolloutCard, self.setting.card)

    @property
    def tokenizer_hash(self) -> str:
        return tokens.load(self.tokenizer).hash

    @property
    def unmatched_requests(self) -> int:
        return len(self.trainer.unmatched_requests)

    def found(self) -> Found:
        """`status` and `cancel` are seen of the routed dialect only."""
        declared = ("idempotency_key", "shown_id", "reward", "status", "cancel", "debug_trace")
        remarks = tuple(
            f"dialect {dialect}: the target lists the tools {', '.join(map(str, tools))}; those with a known result belong to `tools`"
            for dialect, tools in self.tools.items()
            if tools and not set(CALCULATOR) <= set(tools)
        )
        shown = sorted(self.shown)
        return Found({"capabilities": shown} if shown else {}, remarks, possible(CAPABILITIES, declared, shown))

    def drifts(self) -> Drifts:
        return self.trainer.drifted() if isinstance(self.trainer, LiveTrainer) else Drifts()

    def context(self, case: Case) -> CaseContext:
        place = (case.dialect, case.variant)
        if place not in self.contexts:
            self.contexts[place] = self._context(case.dialect, case.variant)
        if self.setting.engine is None:
            return self.contexts[place]
        # A recorded session is replayed word for word: the names of a case must not depend on what else runs.
        counter = self.counters.setdefault(case.id, itertools.count(stable_number(case.id)))
        return replace(self.contexts[place], counter=counter)

    def _context(self, dialect: str, variant: str) -> CaseContext:
        card = self.card
        return CaseContext(
            self.trainer,
            self.trainer_url,
            dialect,
            card,
            card.limits(variant),
            card.key_for(variant, self.setting.target_key),
            self.setting.run,
            self.tokenizer,
            self.setting.tokenizer_name or card.tokenizer_name,
            self.tools.get(dialect, {}),
            self.counter,
        )

    def key_for(self, case: Case) -> str | None:
        return self.context(case).target_key

    def lacks(self, case: Case) -> str | None:
        """Why a case does not apply to this target."""
        card = self.card
        if (case.alone or case.variant) and self.setting.target.startswith("http"):
            return "the suite cannot start or stop a target that it is only given the URL of"
        limits = card.limits(case.variant)
        engine = self.setting.engine
        for need in sorted(case.needs):
            if engine is not None and need in engine.lacks:
                return engine.lacks[need]
            if not self._has(need, limits, case):
                return lacking(CAPABILITIES, need)
        return None

    def _has(self, need: str, limits: RolloutLimits, case: Case) -> bool:
        card, context = self.card, self.context(case)
        if need == "tools":
            return bool(context.usable_tools())
        if need == "calculator":
            return set(CALCULATOR) <= context.tool_names()
        if need == "part_of_calculator":
            return bool(set(CALCULATOR) & context.tool_names())
        if need == "server_key":
            return context.target_key is not None
        if need == "no_server_key":
            return context.target_key is None
        if need == "restart":
            return not self.setting.target.startswith("http")
        if need == "shipped_tokenizer":
            return self.tokenizer == TOKENIZER and not (self.setting.tokenizer_name or card.tokenizer_name)
        if need == "patience":
            return all(
                (limit or PATIENT_S) >= PATIENT_S for limit in (limits.generation_timeout_s, limits.rollout_timeout_s)
            )
        if need == "large_bodies":
            return (card.max_body_bytes or LARGE_BYTES) >= LARGE_BYTES
        if need == "tool_timeout":
            return limits.tool_timeout_s is not None and card.hanging_tool is not None
        if need == "metrics" and case.dialect in ("sync", "callback"):
            return True  # there a result has them
        if need in ("generation_timeout", "rollout_timeout", "lease_timeout"):
            return getattr(limits, f"{need}_s") is not None
        return (
            limits.max_concurrent is not None
            if need == "max_concurrent"
            else card.declares(need) or need in self.shown.get(case.dialect, ())
        )

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        """What the card declares, else what is measured. An engine that generates would change the result, and is not measured."""
        if self.card.max_concurrent is not None or self.setting.engine is not None:
            return self.card.max_concurrent
        return await measured(base_url, self._context(dialects[0], ""), jobs, self.setting.card.patience_s)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the dialects the target shows. Raises `SuiteError` when it shows none."""
        answers: dict[str, str] = {}
        try:
            async with client(headers=self.card.headers) as http, asyncio.timeout(ANSWER_S * 2):
                named = len(dialects) == 1
                shown = [dialect for dialect in dialects if await self._shows(http, base_url, dialect, answers, named)]
        except (TimeoutError, httpx.HTTPError) as error:
            seen = (
                transport_fault(error)
                if isinstance(error, httpx.HTTPError)
                else "it is silent, or its answer has no end"
            )
            raise SuiteError(f"{base_url} answers /health but not an empty start request: {seen}") from error
        if not shown:
            paths = "; ".join(f"POST {START_PATH[dialect]} is answered {answers[dialect]}" for dialect in dialects)
            raise SuiteError(
                f"{base_url} has none of the endpoints to judge: {paths}. Is this a rollout server? "
                "Name its dialect with --dialect if it has another one."
            )
        if "sync" in shown:  # a trainer requests the tools before the first start: they are in every prompt
            self.tools["sync"] = _by_name(await self._listed(base_url))
        return tuple(shown)

    async def _shows(self, http: Any, base_url: str, dialect: str, answers: dict[str, str], named: bool) -> bool:
        """`sync`, `routed` and `leased` share a path: the first has /tools beside it, the others /rollout/cancel, the last a path for results.
        None has to have these, so that the path is enough where the user has `named` the dialect. `answers` notes what was answered
        instead."""
        reply = await self._asked(http, "POST", base_url + START_PATH[dialect])
        answers[dialect] = f"{reply.status_code} {excerpt(reply.content)}".strip()
        if not _is_path(reply):
            return False
        if dialect == "callback" or named:
            return True
        if dialect == "leased":
            answers[dialect] = "as in another dialect (there is no GET /rollout/{rollout_id}/result)"
            return await self._has_path(http, f"{base_url}/rollout/rc-unknown/result")
        routed = _is_path(await self._asked(http, "POST", f"{base_url}/rollout/cancel"))
        if routed and await self._has_path(http, f"{base_url}/rollout/rc-unknown/result"):
            # Both dialects cancel; only the one with callbacks has a path for the status.
            routed = await self._has_path(http, f"{base_url}/rollout/rc-unknown/status")
            if dialect == "sync" and not routed:
                return _is_path(await self._asked(http, "GET", f"{base_url}/tools"))
        if dialect == "routed":
            answers[dialect] = "as in the dialect sync (there is no POST /rollout/cancel)"
            return routed
        answers[dialect] = "as in the dialect routed (there is no GET /tools)"
        return not routed or _is_path(await self._asked(http, "GET", f"{base_url}/tools"))

    async def _has_path(self, http: Any, url: str) -> bool:
        """Whether a path that needs GET is there: an unknown id may be answered 404 like an unknown path, but then POST is 405."""
        if _is_path(await self._asked(http, "GET", url)):
            return True
        return bool((await self._asked(http, "POST", url)).status_code == 405)

    async def _asked(self, http: Any, method: str, url: str) -> Any:
        """An empty request, with the key: where every path requires one, an absent path looks like a present one."""
        headers = {"content-type": "application/json", **self._authorization()}
        return await http.request(method, url, content=b"{}" if method == "POST" else b"", headers=headers)

    def _authorization(self) -> dict[str, str]:
        key = self.card.key_for("", self.setting.target_key)
        return {"authorization": f"Bearer {key}"} if key else {}

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """The tools that the target shows: /tools (sync, routed, leased), or the answer to a start (callback), else its first generation
        call. Of the routed and the leased dialect also what else it has."""
        listed = (_of_start(greeting) if dialect == "callback" else await self._listed(base_url)) or _of_call(greeting)
        self.tools[dialect] = _by_name(listed)
        if dialect in STREAMED and not {"status", "cancel", "metrics"} <= set(self.setting.card.capabilities):
            self.shown[dialect] = await capabilities(base_url, self._context(dialect, ""), LOOK_S)
        self.contexts.clear()

    async def _listed(self, base_url: str) -> Any:
        """What /tools lists; nothing when it does not answer, which a case will report."""
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with client(headers=self.card.headers) as http, asyncio.timeout(ANSWER_S):
                return _json((await http.get(f"{base_url}/tools", headers=self._authorization())).content).get("tools")
        return None


def _by_name(listed: Any) -> dict[str, Any]:
    named = [tool for tool in listed or [] if isinstance(tool, dict) and isinstance(tool.get("function"), dict)]
    return {tool["function"].get("name", ""): tool for tool in named}


def _is_path(reply: Any) -> bool:
    return reply.status_code not in (404, 405, 501)


def _of_call(greeting: Trace) -> Any:
    """The tools of the first generation call of a greeting: what the server lets the model choose from."""
    calls = [e for e in greeting.exchanges if not e.to_target and e.request.path.endswith("/chat/completions")]
    return _json(calls[0].request.body).get("tools") if calls else None


def _of_start(greeting: Trace) -> Any:
    """The tools in the answer to the start request of a greeting."""
    starts = [e for e in greeting.exchanges if e.to_target and e.response is not None]
    return _json(starts[-1].response.body).get("tools") if starts and starts[-1].response else None


def _json(body: bytes) -> dict[str, Any]:
    value = parse(body)
    return value if isinstance(value, dict) else {}


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[RolloutPeers]:
    """Serve the trainer for a run."""
    tokenizer = setting.tokenizer or (Path(setting.card.tokenizer) if setting.card.tokenizer else TOKENIZER)
    tokens.load(tokenizer)
    async with _trainer(setting) as trainer, asgi_binding.serve(trainer, *setting.listen) as url:
        yield RolloutPeers(setting, trainer, url, tokenizer)


@contextlib.asynccontextmanager
async def _trainer(setting: Setting) -> AsyncIterator[ScriptedTrainer]:
    if setting.engine is None:
        yield ScriptedTrainer()
        return
    async with client() as http:
        yield LiveTrainer(http, setting.engine)


def width(case: Case) -> int:
    """How many rollouts a case has in flight at once, at most."""
    return sum(int(getattr(step.what, "copies", 0)) for step in case.actions)


def read(session: RolloutSession, case: Case) -> CaseView:
    """A finished session as the checks read it."""
    context: CaseContext = session.context
    rollouts = {
        label: _rollout(session, part)
        for label, part in rollout_states(session.state).items()
        if part.given is not None
    }
    others = tuple(answer(e) for e in session.trace.exchanges if e.to_target and e.rollout == "-")
    return CaseView(
        session.trace,
        case.dialect,
        rollouts,
        others,
        context.card,
        context.limits,
        context.tools,
        session.state["target"].log(),
        context.target_key,
        wait_timeouts=tuple(session.state.get("wait_timeouts", ())),
        crowded=int(session.state.get("crowded", 0)),
        patience_s=session.patience_s,
        responses=responses_of(session),
    )


def _rollout(session: RolloutSession, part: RolloutState) -> Rollout:
    if part.given is None or part.enrolled is None:
        raise SuiteError("a rollout was read before it was started")
    if part.given.nonce in session.context.trainer.troubles:
        raise SuiteError(session.context.trainer.troubles[part.given.nonce])
    enrolled, deadline = part.enrolled, session.context.limits.generation_timeout_s
    fault = any(isinstance(line, Fault) or line.lost for line in enrolled.script.lines)
    about = (session.trace, part.given, enrolled.issued, enrolled.tokens, enrolled.tools)
    return read_rollout(*about, deadline, fault, session.late)


def overdue(case: Case, view: CaseView) -> str | None:
    """Why a failed case proves nothing: a deadline that the target declares passed while the suite kept it waiting."""
    if "ROLLOUT-282" not in case.requirements:
        late = next(filter(None, map(unrequested, view.rollouts.values())), None)
        if late is not None:
            return late
    limits = [limit for limit in (view.limits.generation_timeout_s, view.limits.rollout_timeout_s) if limit is not None]
    if not limits or case.needs & {"generation_timeout", "rollout_timeout", "tool_timeout"}:
        return None
    for rollout in view.rollouts.values():
        times = [event.at for event in rollout.events]
        if rollout.is_error() and times and times[-1] - times[0] >= 0.9 * min(limits):
            return f"the case took longer than a deadline of the target's own ({min(limits):g} s)"
    return None


def smoke(context: object) -> Iterator[tuple[str, str]]:
    """The tools that the target shows."""
    if isinstance(context, CaseContext):
        yield "tools", ", ".join(context.tools) or "none shown"


def recorder(target: str) -> Recorder:
    """Imported when traffic is recorded."""
    from rollout_conformance.steps.profiles.rollout.recording.recorder import RolloutRecorder

    return RolloutRecorder(target)


def exploration() -> Explore:
    """Read when it is asked for: it needs Hypothesis."""
    from rollout_conformance.steps.profiles.rollout import exploration as module

    return module


CATALOGUE = requirements.load(CONTRACT.requirements)
PROFILE: Profile[CaseState, CaseView] = Profile(
    name="rollout",
    role="trainer",
    closing="Not fit to train on",
    dialects=("sync", "callback", "routed", "leased"),
    catalogue=CATALOGUE,
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.app:create_app",
        ROOT / "scenarios" / "cards" / "reference.yaml",
        Mutants("rollout_conformance.rollout_server.mutants.rollout", "ROLLOUT_MUTANT", frozenset({"ROLLOUT-231"})),
        served_by="rollout_conformance.steps.profiles.rollout.serve",
    ),
    tables=TABLES,
    peers=peers,
    read=read,
    invariants=(
        order,
        requests,
        history,
        tools,
        mask,
        ending,
        errors,
        completion,
        routed,
        leased,
        repetition,
        auth,
        secrets,
        isolation,
        metrics,
        numbers,
        surface,
    ),
    replaces_duplicates=frozenset({"ROLLOUT-112", "ROLLOUT-113", "ROLLOUT-114"}),
    masks_other_findings=frozenset({"ROLLOUT-047", "ROLLOUT-048", "ROLLOUT-063", "ROLLOUT-159", "ROLLOUT-284"}),
    inconclusive_reason=overdue,
    cause=partial(cause, CATALOGUE),
    ends_by_itself=ENDS_BY_ITSELF,
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="ROLLOUT-300",
        accepts="ROLLOUT-301",
        rejects="ROLLOUT-302",
        no_5xx="ROLLOUT-303",
        no_internals="ROLLOUT-123",
        no_secrets="ROLLOUT-175",
        internals=internal_error_patterns.STRICT,
        by_check={"unsupported_method": "ROLLOUT-014", "ignored_auth": "ROLLOUT-169"},
        gateway=False,
        dialect_of=dialect_of,
    ),
    greeting=greeting,
    vocabulary=VOCABULARY,
    phrases=("rollout_conformance.steps.profiles.rollout.phrases",),
    case_model=RolloutCase,
    card=RolloutCard,
    explore=exploration,
    needs_of=setup.needs_of,
    only_scripted=setup.only_scripted,
    probe_result=read_probe,
    smoke=smoke,
    capabilities=frozenset(CAPABILITIES),
    mistakes=mistakes,
    part="rollout",
    width=width,
    record=recorder,
)
