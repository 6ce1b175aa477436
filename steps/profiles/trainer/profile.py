"""The profile `trainer`: a trainer is judged, the suite plays the rollout server."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.trainer.lifecycle import TABLES
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.probe_result import excerpt
from rollout_conformance.steps.engine.starting import NotUsable, is_starting
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.live.trainer import stable_number
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, calculator, tokens
from rollout_conformance.steps.peers.arriving_starts import ArrivingStarts
from rollout_conformance.steps.peers.scripted_rollout_server import ScriptedRolloutServer
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.base import NoPeers, Profile, Setting
from rollout_conformance.steps.profiles.parts import Contract, Found, Fuzz, Mutants, Reference, lacking
from rollout_conformance.steps.profiles.trainer import fuzz_adapter, left_out
from rollout_conformance.steps.profiles.trainer.arrivals import shown_dialects
from rollout_conformance.steps.profiles.trainer.card import TrainerCard, trainer_card
from rollout_conformance.steps.profiles.trainer.cause import SERVES, cause
from rollout_conformance.steps.profiles.trainer.closing import Closing, closing
from rollout_conformance.steps.profiles.trainer.failures import failures
from rollout_conformance.steps.profiles.trainer.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.trainer.invariants.doubled_end import doubled_ends
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.invariants.leaks import leaks
from rollout_conformance.steps.profiles.trainer.invariants.order import order
from rollout_conformance.steps.profiles.trainer.invariants.recorded_prompts import recorded_prompts
from rollout_conformance.steps.profiles.trainer.invariants.records import records
from rollout_conformance.steps.profiles.trainer.logprobs import logprobs
from rollout_conformance.steps.profiles.trainer.mistakes import mistakes
from rollout_conformance.steps.profiles.trainer.request_tools import dropped_tools
from rollout_conformance.steps.profiles.trainer.rollout_naming import URL, naming
from rollout_conformance.steps.profiles.trainer.rollout_source import Source, source_of, unmet_need
from rollout_conformance.steps.profiles.trainer.state import (
    CaseContext,
    CaseView,
    RolloutState,
    TrainerSession,
    TrainerState,
    rollout_states,
)
from rollout_conformance.steps.profiles.trainer.vocabulary import VOCABULARY

LOOK_S = 5.0
CONTRACT = Contract(ROOT / "contracts" / "trainer")
CAPABILITIES = requirements.capabilities(CONTRACT.requirements)


@dataclass(slots=True)
class TrainerPeers(NoPeers):
    """The rollout server of a run, and what the target's card declares."""

    setting: Setting
    host: ScriptedRolloutServer
    host_url: str
    tokens: Tokens
    contexts: dict[str, CaseContext]
    starts: ArrivingStarts | None = None
    closing: Closing | None = None
    counters: dict[str, "itertools.count[int]"] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        return source_of(self.setting.card)

    @property
    def tokenizer_hash(self) -> str:
        return self.tokens.hash

    @property
    def unmatched_requests(self) -> int:
        return len(self.host.unmatched_requests)

    def context(self, case: Case) -> CaseContext:
        if case.dialect not in self.contexts:
            self.contexts[case.dialect] = self._context(case)
        if self.setting.engine is None:
            return self.contexts[case.dialect]
        # A recorded session matches requests byte for byte: the names of a case must not depend on what else runs.
        counter = self.counters.setdefault(case.id, itertools.count(stable_number(case.id)))
        return replace(self.contexts[case.dialect], counter=counter)

    def _context(self, case: Case) -> CaseContext:
        setting, card = self.setting, self.setting.card
        key = card.key_for("", setting.target_key)
        others = list(self.contexts.values())
        context = CaseContext(
            host=self.host,
            host_url=self.host_url,
            dialect=case.dialect,
            card=card,
            limits=card.limits(""),
            target_key=key,
            run=setting.run,
            tokens=self.tokens,
        )
        if others:
            context.counter = others[0].counter
        context.source, context.starts, context.closing = self.source, self.starts, self.closing
        context.model = setting.model or trainer_card(card).model
        return context

    def resolve_placeholders(self, card: Card) -> Card:
        """A trainer on a live engine gets its address as the reference trainer does; `{rollout_server}` is that of the suite."""
        env = {name: self.resolved(value) for name, value in card.env.items()}
        card, engine = card.model_copy(update={"env": env}), self.setting.engine
        if engine is None:
            return card
        key = {"TRAINER_BACKEND_KEY": engine.key} if engine.key else {}
        backend = {"TRAINER_BACKEND_URL": engine.base_url, "TRAINER_MODEL": engine.model, **key}
        return card.model_copy(update={"env": {**card.env, **backend}})

    def resolved(self, text: str) -> str:
        return text.replace("{rollout_server}", self.host_url)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Where the trainer starts rollouts by itself, the dialects of its first start requests; else it does not show them, and the
        requested ones are judged. Raises `NotUsable` for a target that is not a trainer."""
        if self.starts is not None:
            return await shown_dialects(self.starts, self.host_url, dialects, self.setting.card)
        path = self._probed_path()
        try:
            async with client(headers=self.setting.card.headers) as http, asyncio.timeout(LOOK_S):
                reply = await http.post(f"{base_url}{path}", content=b"{}")
        except (TimeoutError, httpx.HTTPError) as error:
            shown = transport_fault(error) if isinstance(error, httpx.HTTPError) else f"no answer within {LOOK_S:g} s"
            raise NotUsable(f"{base_url} does not answer POST {path}: {shown}", broken=True) from error
        if reply.status_code in (404, 405) and b"rollout" not in reply.content:
            raise NotUsable(
                f"{base_url} has no POST {path} (answered {reply.status_code} {excerpt(reply.content)}). Is this a trainer?",
                starting=is_starting(reply.status_code),
            )
        return dialects

    def _probed_path(self) -> str:
        """A path that every trainer has: where generation requests go, unless only start requests show where that is."""
        place = trainer_card(self.setting.card).rollout_id_in
        named = naming(place, RolloutState(""), "rc-probe")
        return "/rollouts" if place == URL else f"{named.path}/v1/chat/completions"

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        """No more cases at once than start requests were open at once: the others would wait for theirs in vain."""
        return min(jobs, max(1, self.starts.most_at_once)) if self.starts is not None else None

    def found(self) -> Found:
        return Found(possible=CAPABILITIES)

    def key_for(self, case: Case) -> str | None:
        return self.context(case).target_key

    def lacks(self, case: Case) -> str | None:
        engine, needs = self.setting.engine, sorted(case.needs)
        if engine is not None and (told := next((engine.lacks[need] for need in needs if need in engine.lacks), "")):
            return told
        described = trainer_card(self.setting.card)
        if unmet := next(filter(None, (unmet_need(described, need) for need in needs)), None):
            return unmet  # whatever else the card declares
        if reason := left_out.reason(described, case):
            return reason
        return lacking(CAPABILITIES, (need for need in needs if not self.setting.card.declares(need)))


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[TrainerPeers]:
    """Serve the rollout server for a run."""
    starts = ArrivingStarts(calculator.tools()) if source_of(setting.card) == "started" else None
    host = ScriptedRolloutServer(starts)
    path = setting.tokenizer or (Path(setting.card.tokenizer) if setting.card.tokenizer else TOKENIZER)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(asgi_binding.serve(host, *setting.listen))
        ending = (
            await stack.enter_async_context(closing(starts, trainer_card(setting.card).rollout_id_in))
            if starts is not None
            else None
        )
        yield TrainerPeers(setting, host, url, tokens.load(path), {}, starts, ending)


def read(session: TrainerSession, case: Case) -> CaseView:
    context: CaseContext = session.context
    wait_timeouts = tuple(session.state.get("wait_timeouts", ()))
    return CaseView(
        trace=session.trace,
        dialect=case.dialect,
        rollouts=rollout_states(session.state),
        tokens=context.tokens,
        target_key=context.target_key,
        wait_timeouts=wait_timeouts,
        source=context.source,
        no_occasion=session.state.get("no_occasion", ""),
        place=context.place,
        token_ids_at=context.described.token_ids_at,
        branched=context.described.declares("branches"),
        with_ids=context.described.token_ids,
    )


CATALOGUE = requirements.load(CONTRACT.requirements)
PROFILE: Profile[TrainerState, CaseView] = Profile(
    name="trainer",
    closing="Not fit to train on",
    dialects=("sync", "callback"),
    catalogue=CATALOGUE,
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.trainer.app:create_app",
        ROOT / "scenarios" / "cards" / "trainer.yaml",
        Mutants("rollout_conformance.rollout_server.mutants.trainer", "TRAINER_MUTANT"),
        served_by="rollout_conformance.steps.profiles.trainer.serve",
    ),
    tables=TABLES,
    peers=peers,
    read=read,
    invariants=(order, replies, records, recorded_prompts, doubled_ends, dropped_tools, logprobs, failures, leaks),
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="TRAINER-300",
        accepts="TRAINER-301",
        rejects="TRAINER-302",
        no_5xx="TRAINER-303",
        no_internals="TRAINER-300",
        no_secrets="TRAINER-194",
        left_out=fuzz_adapter.left_out,
    ),
    cause=partial(cause, CATALOGUE),
    ends_by_itself=SERVES,
    greeting=greeting,
    vocabulary=VOCABULARY,
    probe_result=read_probe,
    unexplored="explore walks over what a trainer may do to a rollout server; of a trainer the cases (`run`) and generated requests "
    "(`pytest contracts/ --profile trainer`) judge it",
    capabilities=frozenset(CAPABILITIES),
    card=TrainerCard,
    mistakes=mistakes,
    part="rollout",
)
