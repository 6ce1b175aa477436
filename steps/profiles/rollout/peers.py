"""The peers of a run against a rollout server: the trainer that the suite serves, and what it has learnt of the target."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.target_card import card_as
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.live.trainer import Drifts, LiveTrainer, stable_number
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, tokens
from rollout_conformance.steps.peers.trainer import ScriptedTrainer
from rollout_conformance.steps.profiles.base import NoPeers, Setting
from rollout_conformance.steps.profiles.parts import URL_ONLY, Found, lacking, possible
from rollout_conformance.steps.profiles.rollout import shown_tools
from rollout_conformance.steps.profiles.rollout.capabilities import TEXTS, UNSEEN, TargetFacts
from rollout_conformance.steps.profiles.rollout.capacity import measured
from rollout_conformance.steps.profiles.rollout.card import RolloutCard
from rollout_conformance.steps.profiles.rollout.context import CALCULATOR, CaseContext
from rollout_conformance.steps.profiles.rollout.detected_capabilities import capabilities
from rollout_conformance.steps.profiles.rollout.dialect_detection import detected
from rollout_conformance.steps.profiles.rollout.shown_tools import Tools
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED

LOOK_S = 10.0
CALCULATORS = {"calculator", "part_of_calculator"}  # whoever has these has `tools`


@dataclass(slots=True)
class RolloutPeers(NoPeers):
    """The served trainer of a run, and what was learnt of the target."""

    setting: Setting
    trainer: ScriptedTrainer
    trainer_url: str
    tokenizer: Path
    contexts: dict[tuple[str, str], CaseContext] = field(default_factory=dict)
    tools: dict[str, Tools] = field(default_factory=dict)
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
        remarks = tuple(
            f"dialect {dialect}: the target lists the tools {', '.join(map(str, tools))}; those with a known result belong to `tools`"
            for dialect, tools in self.tools.items()
            if tools and not set(CALCULATOR) <= set(tools)
        )
        shown = sorted(self.shown)
        return Found({"capabilities": shown} if shown else {}, remarks, possible(TEXTS, UNSEEN, shown))

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
            trainer=self.trainer,
            trainer_url=self.trainer_url,
            dialect=dialect,
            card=card,
            limits=card.limits(variant),
            target_key=card.key_for(variant, self.setting.target_key),
            run=self.setting.run,
            tokenizer=self.tokenizer,
            tokenizer_name=self.setting.tokenizer_name or card.tokenizer_name,
            tools=self.tools.get(dialect, {}),
            counter=self.counter,
        )

    def key_for(self, case: Case) -> str | None:
        return self.context(case).target_key

    def lacks(self, case: Case) -> str | None:
        """Why a case does not apply to this target."""
        has_only_url = self.setting.target.startswith("http")
        if (case.alone or case.variant) and has_only_url:
            return URL_ONLY
        engine = self.setting.engine
        facts = TargetFacts(self.context(case), self.shown.get(case.dialect, frozenset()), has_only_url)
        if engine is not None and (
            told := next((engine.lacks[need] for need in sorted(case.needs) if need in engine.lacks), "")
        ):
            return told
        missing = {need for need in case.needs if not facts.has(need)}
        return lacking(TEXTS, missing - {"tools"} if missing & CALCULATORS else missing)

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        """What the card declares, else what is measured. An engine that generates would change the result, and is not measured."""
        if self.card.max_concurrent is not None or self.setting.engine is not None:
            return self.card.max_concurrent
        return await measured(base_url, self._context(dialects[0], ""), jobs, self.setting.card.patience_s)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the dialects the target shows. Raises `SuiteError` when it shows none."""
        shown = await detected(base_url, dialects, self._authorization(), self.card.headers)
        if "sync" in shown:  # a trainer requests the tools before the first start: they are in every prompt
            self.tools["sync"] = await self._listed(base_url)
        return shown

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """The tools that the target shows: /tools (sync, routed, leased), or the response to a start (callback), else its first generation
        request. Of the routed and the leased dialect also what else it has."""
        first = shown_tools.in_start_response(greeting) if dialect == "callback" else await self._listed(base_url)
        self.tools[dialect] = first or shown_tools.in_generation_request(greeting)
        if dialect in STREAMED and not {"status", "cancel", "metrics"} <= set(self.card.capabilities):
            self.shown[dialect] = await capabilities(base_url, self._context(dialect, ""), LOOK_S)
        self.contexts.clear()

    async def _listed(self, base_url: str) -> Tools:
        return await shown_tools.listed(base_url, self._authorization(), self.card.headers)

    def _authorization(self) -> dict[str, str]:
        return bearer(self.card.key_for("", self.setting.target_key))


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
