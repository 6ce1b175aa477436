"""What a run learns of an inference server before its cases are played."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.starting import LOOK_AGAIN_S, NotUsable, is_starting
from rollout_conformance.steps.engine.target_card import card_as
from rollout_conformance.steps.engine.trace import Trace, parse
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens as tokenizers
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.base import NoPeers, Setting
from rollout_conformance.steps.profiles.chat.capabilities import COMMON, HINTS, PROBED_OR_DECLARED, PROBES, TEXTS, has
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.determinism import (
    EQUAL_REQUESTS,
    are_equal,
    compares_answers,
    incomparable,
    learnt,
)
from rollout_conformance.steps.profiles.chat.expectations.samples import sample_key
from rollout_conformance.steps.profiles.chat.greeting import GREETING
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.chat.responses import Choice
from rollout_conformance.steps.profiles.chat.token_id_locations import (
    NAMED,
    card_form,
    looked_at,
    place_of_ids,
    with_ids_at,
)
from rollout_conformance.steps.profiles.chat.view import UNKNOWN_CONTEXT, CaseContext
from rollout_conformance.steps.profiles.parts import Found, absent, lacking, possible

PROBE_S = 10.0
MOST_CONTEXT = 4_000_000  # tokens; what a server lists beyond that is no length of a prompt that could be sent
RUNNING = "vllm:num_requests_running"
MODELS = "/v1/models"
ASSUMED = ("unbuffered", "shipped_tokenizer")  # like the common ones, but of the way in which the suite is run


@dataclass(slots=True)
class ChatPeers(NoPeers):
    """No peer is played here: this is what was learnt of the server. `probed` are the capabilities that it showed, `listed` its models (None
    without a list), `ids_at` where token ids stand that are not where they should be, `deterministic` whether equal requests with
    temperature 0 had equal answers (None where fewer than two of them were answered)."""

    setting: Setting
    tokens: Tokens | None
    key: str | None
    model: str = ""
    context_tokens: int = UNKNOWN_CONTEXT
    probed: set[str] = field(default_factory=set)
    listed: frozenset[str] | None = None
    ids_at: str = field(default="", kw_only=True)
    deterministic: bool | None = field(default=None, kw_only=True)

    @property
    def card(self) -> ChatCard:
        return card_as(ChatCard, self.setting.card)

    @property
    def tokenizer_hash(self) -> str:
        return self.tokens.hash if self.tokens else "unknown"

    def context(self, case: Case) -> CaseContext:
        return CaseContext(
            model=self.model,
            key=self.key_for(case),
            tokens=self.tokens,
            card=self.card,
            context_tokens=self.context_tokens,
            capabilities=frozenset(self._capabilities()),
            listed=self.listed,
            deterministic=self._is_deterministic(),
        )

    def _capabilities(self) -> set[str]:
        """What was probed, and what the card declares."""
        declared = set(self.card.capabilities)
        return {name for name in self.probed | declared if f"no_{name}" not in declared}

    def found(self) -> Found:
        shown = sorted(self.probed)
        members: dict[str, object] = {"model": self.model} if self.model else {}
        if self.listed:
            members["models"] = self.card.path(MODELS)
        if self.ids_at:
            members[NAMED] = card_form(self.ids_at)
        members["capabilities"] = shown
        others = sorted((self.listed or frozenset()) - {self.model})
        listed = [f"the target also lists {', '.join(others[:10])}"] if others else []
        remarks = (*listed, *(learnt(self.deterministic) if self._has("request_sampling") else ()))
        may_have = possible(TEXTS, (*PROBED_OR_DECLARED, "shipped_tokenizer"), shown)
        return Found(members, remarks, {**may_have, **absent(HINTS, self.card)})

    def key_for(self, case: Case) -> str | None:
        return self.card.key_for(case.variant, self.key or "")  # an engine without a key is no target of the card

    def lacks(self, case: Case) -> str | None:
        live, needs = self.setting.engine, sorted(case.needs | ({"streaming"} if streams(case) else set()))
        if live is not None and (told := next((live.lacks[need] for need in needs if need in live.lacks), "")):
            return told
        if not self._is_deterministic() and compares_answers(case):
            return incomparable(self._has("request_sampling"))
        missing = [need for need in needs if not self._has(need)]
        return lacking(TEXTS | {"token_ids": TEXTS["token_ids"] + self._about_ids()}, missing)

    def _is_deterministic(self) -> bool:
        """Whether temperature 0 makes equal requests have equal answers; no request has it where the target imposes its own."""
        return self.deterministic is not False and self._has("request_sampling")

    def _about_ids(self) -> str:
        """Where token ids were looked for, and where a list of ids was seen instead."""
        seen = f"; a list of ids was seen at {self.ids_at}: is it `{NAMED}` on the card?" if self.ids_at else ""
        return f"; looked for at {looked_at(self.card.token_ids_at)}{seen}"

    def _has(self, need: str) -> bool:
        """What servers commonly have is there unless the card declares `no_NAME`; anything else is probed or declared."""
        if need == "tokenizer":
            return self.tokens is not None
        if need == "key":
            return bool(self.key)
        if need == "models":
            return self._asks_for_models() and need not in self._absent()
        if need in PROBED_OR_DECLARED:
            return need in self._capabilities()
        if need in COMMON or need in ASSUMED:
            return need not in self._absent()
        return self.card.declares(need)

    def _absent(self) -> set[str]:
        return {name.removeprefix("no_") for name in self.card.capabilities if name.startswith("no_")}

    def _asks_for_models(self) -> bool:
        """Where a user names the model, nobody has to list it, unless the card says where."""
        return not (self.setting.model or self.card.model) or self.card.models is not None

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which model is requested: the one that is named, else the first that is listed. Raises `NotUsable` when there is no server."""
        named = self.setting.model or (self.setting.engine.model if self.setting.engine else self.card.model)
        self.context_tokens = self.card.context_tokens or self.context_tokens
        if not self._asks_for_models():
            self.model = named or ""
            return dialects
        try:
            async with client(headers=self.card.headers) as http, asyncio.timeout(PROBE_S):
                listed = await http.get(f"{base_url}{self.card.path(MODELS)}", headers=self._headers())
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"no response within {PROBE_S:g} s" if isinstance(error, TimeoutError) else transport_fault(error)
            raise NotUsable(f"{base_url} does not respond as an inference server: {seen}", broken=True) from error
        body = parse(listed.content)
        data = body.get("data") if isinstance(body, dict) else None
        models = {str(one.get("id")): one for one in data if isinstance(one, dict)} if isinstance(data, list) else {}
        self.model, self.listed = named or next(iter(models), ""), frozenset(models) if isinstance(data, list) else None
        takes = models.get(self.model, {}).get("max_model_len")
        if self.card.context_tokens is None and type(takes) is int and 0 < takes <= MOST_CONTEXT:
            self.context_tokens = takes
        return dialects

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """The capabilities of a server that answers a greeting. Raises `NotUsable` when it stops responding."""
        response = greeting.exchanges[-1].response if greeting.exchanges else None
        if response is None or response.status != 200:
            return  # it lists a model that it does not know: that is for the cases to judge
        try:
            async with client(headers=self.card.headers) as http, asyncio.timeout(PROBE_S * 3):
                await self._probe(http, base_url)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            silent = isinstance(error, TimeoutError)
            seen = f"no end of its responses within {PROBE_S * 3:g} s" if silent else transport_fault(error)
            told = f"{base_url} does not respond as an inference server: {seen}"
            raise NotUsable(told, starting=False, broken=True) from error

    @property
    def _hello(self) -> dict[str, object]:
        """The body of a greeting."""
        return {**({"model": self.model} if self.model else {}), **GREETING}

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        """Wait until a server that was just started accepts a greeting: a frontend answers its health check before its model is there. One that
        never does is for the cases to judge."""
        hello, headers = self._hello, {**self.card.headers, **self._headers()}
        with contextlib.suppress(TimeoutError, httpx.HTTPError, OSError):
            async with asyncio.timeout(self.card.start_s):
                while is_starting((await client.post(f"{base_url}{CHAT}", json=hello, headers=headers)).status_code):
                    await asyncio.sleep(LOOK_AGAIN_S)

    async def _probe(self, http: httpx.AsyncClient, base_url: str) -> None:
        hello = self._hello
        for name, more in PROBES.items():
            response = await http.post(f"{base_url}{CHAT}", json={**hello, **more}, headers=self._headers())
            body = parse(response.content)
            if response.status_code == 200 and has(name, with_ids_at(body, self.card.token_ids_at)):
                self.probed.add(name)
            elif name == "token_ids":
                self.ids_at = place_of_ids(body) or ""
        greedy = {**hello, "temperature": 0}
        answers = [await self._answer(http, base_url, greedy) for _ in range(EQUAL_REQUESTS)]
        self.deterministic = are_equal(answers)
        page = await http.get(f"{base_url}{self.card.path('/metrics')}")
        if page.status_code == 200 and RUNNING in page.text:
            self.probed.add("metrics")

    async def _answer(self, http: httpx.AsyncClient, base_url: str, body: Mapping[str, object]) -> str:
        """What was sampled; nothing where the target was busy, or did not answer with a completion."""
        response = await http.post(f"{base_url}{CHAT}", json=body, headers=self._headers())
        choices = mappings(mapping(parse(response.content)).get("choices"))
        return sample_key(Choice(choices[0])) if choices else ""

    def _headers(self) -> dict[str, str]:
        return {"content-type": "application/json", **bearer(self.key)}


def streams(case: Case) -> bool:
    """Whether a request of the case is for a stream, whatever the case is about."""
    requests = (step.what for step in case.actions if isinstance(step.what, ChatRequest))
    return any(one.stream or one.body.get("stream") is True for one in requests)


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
