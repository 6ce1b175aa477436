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
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.probe_result import excerpt
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.live.trainer import stable_number
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers import served, tokens
from rollout_conformance.steps.peers.host import ScriptedHost
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.base import Profile, Setting
from rollout_conformance.steps.profiles.trainer import fuzzed
from rollout_conformance.steps.profiles.trainer.cause import SERVES, cause
from rollout_conformance.steps.profiles.trainer.checks import leaks, order, records, replies
from rollout_conformance.steps.profiles.trainer.greeting import greeting, hear
from rollout_conformance.steps.profiles.trainer.live import Bench, Talk, lives
from rollout_conformance.steps.profiles.trainer.mistakes import mistakes

LOOK_S = 5.0
NEEDS = {
    "record": "the card does not declare the capability `record`: GET /rollouts/{rollout_id}",
    "tool_calls": "the card does not declare the capability `tool_calls`: a policy that calls a calculator",
    "timeout": "the card does not declare the capability `timeout`: `timeout_s` in the control request",
    "key": "the card does not declare the capability `key`: a key for each rollout",
}


@dataclass(slots=True)
class TrainerPeers:
    """The rollout server of a run, and what is told of the target by its card."""

    setting: Setting
    host: ScriptedHost
    host_url: str
    tokens: Tokens
    benches: dict[str, Bench]
    counters: dict[str, "itertools.count[int]"] = field(default_factory=dict)

    @property
    def tokenizer_hash(self) -> str:
        return self.tokens.hash

    @property
    def strays(self) -> int:
        return len(self.host.strays)

    def bench(self, case: Case) -> Bench:
        if case.dialect not in self.benches:
            self.benches[case.dialect] = self._bench(case)
        if self.setting.engine is None:
            return self.benches[case.dialect]
        # A recorded session is asked for word for word: the names of a case must not depend on what else runs.
        counter = self.counters.setdefault(case.id, itertools.count(stable_number(case.id)))
        return replace(self.benches[case.dialect], counter=counter)

    def _bench(self, case: Case) -> Bench:
        setting, card = self.setting, self.setting.card
        key = setting.target_key if setting.target_key is not None else card.key
        others = list(self.benches.values())
        bench = Bench(
            self.host, self.host_url, case.dialect, card, card.limits(""), key or None, setting.run, self.tokens
        )
        if others:
            bench.counter = others[0].counter
        return bench

    def placed(self, card: Card) -> Card:
        """A trainer on a live engine is told of it as the reference trainer is."""
        engine = self.setting.engine
        if engine is None:
            return card
        key = {"TRAINER_BACKEND_KEY": engine.key} if engine.key else {}
        told = {"TRAINER_BACKEND_URL": engine.base_url, "TRAINER_MODEL": engine.model, **key}
        return card.model_copy(update={"env": {**card.env, **told}})

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        return None

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """A trainer shows its dialects to nobody; what is asked for is judged. Raises `SuiteError` when it is no trainer."""
        try:
            async with client() as http, asyncio.timeout(LOOK_S):
                reply = await http.post(f"{base_url}/v1/chat/completions", content=b"{}")
        except (TimeoutError, httpx.HTTPError) as error:
            shown = transport_fault(error) if isinstance(error, httpx.HTTPError) else f"no answer within {LOOK_S:g} s"
            raise SuiteError(f"{base_url} does not answer POST /v1/chat/completions: {shown}") from error
        if reply.status_code in (404, 405) and b"rollout" not in reply.content:
            raise SuiteError(
                f"{base_url} has no POST /v1/chat/completions (answered {reply.status_code} {excerpt(reply.content)}). "
                "Is this a trainer?"
            )
        return dialects

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """What a trainer has is on its card."""

    def lacks(self, case: Case) -> str | None:
        engine = self.setting.engine
        for need in sorted(case.needs):
            if engine is not None and need in engine.lacks:
                return engine.lacks[need]
            if need not in self.setting.card.capabilities:
                return NEEDS.get(need, f"{need} is not declared by the card")
        return None


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[TrainerPeers]:
    """Serve the rollout server for a run."""
    host = ScriptedHost()
    path = setting.tokenizer or (Path(setting.card.tokenizer) if setting.card.tokenizer else TOKENIZER)
    async with served.serve(host, *setting.listen) as url:
        yield TrainerPeers(setting, host, url, tokens.load(path), {})


def read(session: Session, case: Case) -> Talk:
    bench: Bench = session.bench
    wait_timeouts = tuple(session.state.get("wait_timeouts", ()))
    return Talk(session.trace, case.dialect, lives(session.state), bench.tokens, bench.target_key, wait_timeouts)


CATALOGUE = requirements.load(ROOT / "contracts" / "trainer" / "requirements.yaml")
PROFILE = Profile(
    name="trainer",
    dialects=("sync", "callback"),
    catalogue=CATALOGUE,
    default_target="app:rollout_server.trainer.app:create_app",
    default_card=ROOT / "scenarios" / "cards" / "trainer.yaml",
    tables=TABLES,
    peers=peers,
    read=read,
    invariants=(order, replies, records, leaks),
    echoed_by=frozenset(),
    drowned_by=frozenset(),
    excuse=lambda case, talk: None,
    fuzzed=fuzzed,
    cause=partial(cause, CATALOGUE),
    ends_by_itself=SERVES,
    greeting=greeting,
    heard=hear,
    unexplored="explore walks over what a trainer may do to a rollout server; of a trainer the cases (`run`) and generated requests "
    "(`pytest contracts/ --profile trainer`) judge it",
    capabilities=frozenset(NEEDS),
    mistakes=mistakes,
)
