"""What a run learns of an inference server before its cases are played."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.trace import Trace, parse
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens as tokenizers
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.base import NoPeers, Setting
from rollout_conformance.steps.profiles.chat.capabilities import LACKS, PROBED_OR_DECLARED, PROBES, has
from rollout_conformance.steps.profiles.chat.greeting import GREETING
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.chat.token_id_locations import place_of_ids
from rollout_conformance.steps.profiles.chat.view import UNKNOWN_CONTEXT, CaseContext

PROBE_S = 10.0
MOST_CONTEXT = 4_000_000  # tokens; what a server lists beyond that is no length of a prompt that could be sent
RUNNING = "vllm:num_requests_running"


@dataclass(slots=True)
class ChatPeers(NoPeers):
    """No peer is played here: this is what was learnt of the server. `probed` are the capabilities that it showed, `listed` its models, `ids_at`
    where token ids stand that are not where they should be."""

    setting: Setting
    tokens: Tokens | None
    key: str | None
    model: str = ""
    context_tokens: int = UNKNOWN_CONTEXT
    probed: set[str] = field(default_factory=set)
    listed: frozenset[str] = frozenset()
    ids_at: str = field(default="", kw_only=True)

    @property
    def tokenizer_hash(self) -> str:
        return self.tokens.hash if self.tokens else "unknown"

    def context(self, case: Case) -> CaseContext:
        return CaseContext(
            self.model,
            self.key,
            self.tokens,
            self.setting.card,
            self.context_tokens,
            frozenset(self._capabilities()),
            self.listed,
        )

    def _capabilities(self) -> set[str]:
        """What was probed, and what the card declares."""
        declared = set(self.setting.card.capabilities)
        return {name for name in self.probed | declared if f"no_{name}" not in declared}

    def key_for(self, case: Case) -> str | None:
        return self.key

    def lacks(self, case: Case) -> str | None:
        live = self.setting.engine
        for need in sorted(case.needs):
            if live is not None and need in live.lacks:
                return live.lacks[need]
            if not self._has(need):
                if need == "token_ids" and self.ids_at:
                    return f"{LACKS[need]} where vLLM does (`choices[].token_ids`); a list of ids was seen at {self.ids_at}"
                return LACKS.get(need, f"{need} is excluded by the card")
        return None

    def _has(self, need: str) -> bool:
        """What servers commonly have is there unless the card declares `no_NAME`; anything else is probed or declared."""
        if need == "tokenizer":
            return self.tokens is not None
        if need == "key":
            return self.key is not None
        if need in PROBED_OR_DECLARED:
            return need in self._capabilities()
        return f"no_{need}" not in self.setting.card.capabilities

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which model is requested: the one that is named, else the first that is listed. Raises `SuiteError` when there is no server."""
        try:
            async with client() as http, asyncio.timeout(PROBE_S):
                listed = await http.get(f"{base_url}/v1/models", headers=self._headers())
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"no response within {PROBE_S:g} s" if isinstance(error, TimeoutError) else transport_fault(error)
            raise SuiteError(f"{base_url} does not respond as an inference server: {seen}") from error
        body = parse(listed.content)
        data = body.get("data") if isinstance(body, dict) else None
        models = {str(one.get("id")): one for one in data if isinstance(one, dict)} if isinstance(data, list) else {}
        named = self.setting.model or (self.setting.engine.model if self.setting.engine else self.setting.card.model)
        self.model, self.listed = named or next(iter(models), ""), frozenset(models)
        takes = models.get(self.model, {}).get("max_model_len")
        self.context_tokens = takes if type(takes) is int and 0 < takes <= MOST_CONTEXT else self.context_tokens
        return dialects

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """The capabilities of a server that answers a greeting. Raises `SuiteError` when it stops responding."""
        response = greeting.exchanges[-1].response if greeting.exchanges else None
        if response is None or response.status != 200:
            return  # it lists a model that it does not know: that is for the cases to judge
        try:
            async with client() as http, asyncio.timeout(PROBE_S * 3):
                await self._probe(http, base_url)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            silent = isinstance(error, TimeoutError)
            seen = f"no end of its responses within {PROBE_S * 3:g} s" if silent else transport_fault(error)
            raise SuiteError(f"{base_url} does not respond as an inference server: {seen}") from error

    async def _probe(self, http: Any, base_url: str) -> None:
        hello = {**({"model": self.model} if self.model else {}), **GREETING}
        for name, more in PROBES.items():
            response = await http.post(f"{base_url}{CHAT}", json={**hello, **more}, headers=self._headers())
            if response.status_code == 200 and has(name, response):
                self.probed.add(name)
            elif name == "token_ids":
                self.ids_at = place_of_ids(parse(response.content)) or ""
        page = await http.get(f"{base_url}/metrics")
        if page.status_code == 200 and RUNNING in page.text:
            self.probed.add("metrics")

    def _headers(self) -> dict[str, str]:
        key = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return {"content-type": "application/json", **key}


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[ChatPeers]:
    card = setting.card
    named = setting.tokenizer or (Path(card.tokenizer) if card.tokenizer else None)
    known = (
        tokenizers.load(named)
        if named
        else tokenizers.load(TOKENIZER)
        if "shipped_tokenizer" in card.capabilities
        else None
    )
    key = setting.target_key if setting.target_key is not None else card.key
    if setting.engine is not None and setting.target_key is None:
        key = setting.engine.key
    yield ChatPeers(setting, known, key)
