"""The peers of a run that judges a worker: the suite is only its client. What is learnt of the worker is its model."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import httpx

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.target_card import card_as
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers.tokens import Tokens, load
from rollout_conformance.steps.profiles.base import ClientOnly, Setting
from rollout_conformance.steps.profiles.parts import URL_ONLY, Contract, Found, lacking, possible
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.dialects.base import Dialect
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec

CONTRACT = Contract(ROOT / "contracts" / "worker")
CAPABILITIES = requirements.capabilities(CONTRACT.requirements)
ANSWER_S = 5.0
LOADS = 503  # the status of a health check while a model is loaded
LOOK_AGAIN_S = 0.05
LOADING = "loading"  # the variant whose loading is what is judged
PROMPT = "Hello!"
HAS = "the target card has "
VARIANTS = ("one_slot", "full", LOADING, "failing", "small_memory", "small_context")  # of the card, not capabilities


@dataclass(slots=True)
class WorkerPeers(ClientOnly):
    """`tokens` encodes the prompts of dialects that take ids; `model` is the one that the health check names."""

    tokens: Tokens
    model: str | None = None
    dialect: Dialect = DIALECTS["orcd"]

    @property
    def card(self) -> WorkerCard:
        return card_as(WorkerCard, self.setting.card)

    def context(self, case: Case) -> WorkerContext:
        return WorkerContext(self.card, self.key, DIALECTS[case.dialect], self.tokens, self.card.model or self.model)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """The dialects whose paths the worker has; all of those asked for where it has none, so that the greeting shows why."""
        found = await self._discovered(base_url, dialects)
        self.dialect = DIALECTS[found[0]]
        return found

    async def _discovered(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        async with client(headers=self.card.headers) as http:
            with contextlib.suppress(TimeoutError, httpx.HTTPError, OSError):
                async with asyncio.timeout(ANSWER_S):
                    health = await http.get(f"{base_url}{self.card.path('/health')}")
                    named = mapping(parse(health.content)).get("model")
                    self.model = named if isinstance(named, str) else None
            if len(dialects) == 1 or self.card.dialects:
                return dialects
            shown = [one for one in dialects if await _has(http, f"{base_url}{DIALECTS[one].path}")]
        if "tgi" in shown and "sglang" in shown and len(shown) < len(DIALECTS):
            shown.remove("sglang")  # they share the path of a response that is no stream
        return tuple(shown) or dialects

    def lacks(self, case: Case) -> str | None:
        if (case.alone or case.variant) and self.setting.target.startswith("http"):
            return URL_ONLY
        return lacking(CAPABILITIES, (need for need in case.needs if not self._has(need)))

    def _has(self, need: str) -> bool:
        """Whether the card declares it, or has a variant of that name."""
        return self.key is not None if need == "key" else self.card.declares(need)

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        """Wait until a job of one token is carried out: the case before may have cost slots."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await self._generates(client, base_url):
                    await asyncio.sleep(LOOK_AGAIN_S)
                return True
        return False

    async def _generates(self, client: httpx.AsyncClient, base_url: str) -> bool:
        spec = JobSpec(f"rc-between-{uuid4().hex[:12]}", PROMPT, tuple(self.tokens.encode(PROMPT)), max_tokens=1)
        path, body = self.dialect.request_path(spec), self.dialect.body(spec)
        try:
            reply = await client.post(base_url + path, json=body, headers=bearer(self.key))
        except (httpx.HTTPError, OSError):
            return False
        return reply.is_success

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        return self.card.slots

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        """Wait until a worker that was just started has loaded its model; one that never has is for the cases to judge."""
        with contextlib.suppress(TimeoutError, httpx.HTTPError, OSError):
            async with asyncio.timeout(0 if variant == LOADING else self.card.start_s):
                while (await client.get(f"{base_url}{self.card.path('/health')}")).status_code == LOADS:
                    await asyncio.sleep(LOOK_AGAIN_S)

    def found(self) -> Found:
        members = {"model": self.model} if self.model else {}
        missing = [name for name in VARIANTS if not self.card.declares(name)]
        remarks = tuple(
            f"some cases need a variant `{name}`: {CAPABILITIES[name].removeprefix(HAS)}" for name in missing
        )
        shown = {*self.card.capabilities, *VARIANTS, "key"}
        return Found(members, remarks, possible(CAPABILITIES, CAPABILITIES, shown))


async def _has(http: httpx.AsyncClient, url: str) -> bool:
    """Whether a worker has a path: it rejects GET there with another status than 404."""
    try:
        async with asyncio.timeout(ANSWER_S), http.stream("GET", url) as response:
            return response.status_code != 404
    except (TimeoutError, httpx.HTTPError, OSError):
        return False


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[WorkerPeers]:
    yield WorkerPeers(setting, load(setting.tokenizer or TOKENIZER))
