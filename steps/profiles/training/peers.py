"""What a run knows of its target: the dialects that it shows, its base model, and the keys of the card. Nothing is played beside the client."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.target_card import card_as
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.base import NoPeers, Setting
from rollout_conformance.steps.profiles.parts import Found, lacking, possible
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.context import LeftModels, TrainingContext
from rollout_conformance.steps.profiles.training.contract_values import CAPABILITIES
from rollout_conformance.steps.profiles.training.models import CreateModel, models_in
from rollout_conformance.steps.profiles.training.wires import TINKER, WIRES

ANSWER_S = 5.0
NO_MODEL = "rc-model"  # asked of a target that lists none


@dataclass(slots=True)
class TrainingPeers(NoPeers):
    """`models` are the base models that the target lists, by dialect; a dialect without a list is not among them."""

    setting: Setting
    models: dict[str, list[str]] = field(default_factory=dict)
    run: str = field(default_factory=lambda: uuid4().hex[:8])
    left: LeftModels = field(default_factory=LeftModels)
    counters: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def card(self) -> TrainingCard:
        return card_as(TrainingCard, self.setting.card)

    def context(self, case: Case) -> TrainingContext:
        listed = self.models.get(case.dialect)
        model = self.setting.model or self.card.model or next(iter(listed or ()), NO_MODEL)
        run = f"rc-{self.run}-{next(self.counters)}x"
        count = None if listed is None else len(listed)
        creates = sum(isinstance(step.what, CreateModel) for step in case.actions)
        return TrainingContext(
            card=self.card,
            target_key=self.key_for(case),
            dialect=case.dialect,
            model=model,
            run=run,
            left=self.left,
            listed=count,
            creates=creates,
        )

    def key_for(self, case: Case) -> str | None:
        return self.card.key_for(case.variant, self.setting.target_key)

    def lacks(self, case: Case) -> str | None:
        return lacking(CAPABILITIES, (need for need in case.needs if not self._has(case, need)))

    def _has(self, case: Case, need: str) -> bool:
        if need == "key":
            return self.key_for(case) is not None
        if need == "end_token":
            return self.card.end_token is not None
        return self.card.declares(need)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """The dialects whose list of models the target has; all of them where it shows none. Nothing shows whether a target takes protobuf, so
        that `tinker` is judged only where it is asked for by name."""
        named = dialects == (TINKER,) or TINKER in self.card.dialects
        dialects = dialects if named else tuple(one for one in dialects if one != TINKER)
        shown = tuple([dialect for dialect in dialects if await self._lists(base_url, dialect)])
        return shown or dialects

    async def _lists(self, base_url: str, dialect: str) -> bool:
        wire = WIRES[dialect]
        key = self.card.key_for("", self.setting.target_key)
        headers = {**self.card.headers, **(wire.key(key) if key else {})}
        try:
            async with client(headers=headers) as http, asyncio.timeout(ANSWER_S):
                reply = await http.get(f"{base_url}{wire.models}")
        except (TimeoutError, httpx.HTTPError):
            return False
        if reply.status_code >= 300:
            return reply.status_code not in (404, 405)
        if (models := models_in(parse(reply.content))) is not None:
            self.models[dialect] = models
        return True

    def found(self) -> Found:
        model = next((listed[0] for listed in self.models.values() if listed), "")
        return Found({"model": model} if model else {}, (), possible(CAPABILITIES, CAPABILITIES, {"key"}))


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[TrainingPeers]:
    """Of a profile that plays only the client."""
    yield TrainingPeers(setting)
