"""The profile `chat`: an engine behind the chat API of OpenAI is judged, the suite is its client."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.chat.lifecycle import STREAM
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.engine.lenient_json import listed, mapping
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace, parse
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers import tokens as tokenizers
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.base import Profile, Setting
from rollout_conformance.steps.profiles.chat import fuzz_adapter
from rollout_conformance.steps.profiles.chat.cause import BUSY, cause
from rollout_conformance.steps.profiles.chat.greeting import GREETING, greeting, read_probe
from rollout_conformance.steps.profiles.chat.invariants import (
    completions,
    errors,
    prompts,
    streams,
    tokens,
    without_ids,
)
from rollout_conformance.steps.profiles.chat.mistakes import mistakes
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.chat.token_id_locations import place_of_ids
from rollout_conformance.steps.profiles.chat.view import UNKNOWN_CONTEXT, CaseContext, CaseView
from rollout_conformance.steps.profiles.chat.view import read as view_of
from rollout_conformance.steps.profiles.chat.vocabulary import VOCABULARY

LOOK_S = 10.0
MOST_CONTEXT = 4_000_000  # tokens; what an engine lists beyond that is no length of a prompt that could be sent
TO_BE_SHOWN = (
    "token_ids",
    "logprobs",
    "tools",
    "streaming",
    "metrics",
    "calculates",
    "knows_france",
    "json",
    "ignore_eos",
)
COMMON = (
    "stop",
    "n",
    "seed",
    "required_tools",
    "max_completion_tokens",
    "keeps_reasoning",
)  # had by all that do not say `no_NAME`
ADD = calculator.tool("add")
PROBES: dict[str, dict[str, Any]] = {
    "token_ids": {"return_token_ids": True},
    "logprobs": {"logprobs": True},
    "tools": {"tools": [ADD]},
    "streaming": {"stream": True},
    "calculates": {
        "tools": [ADD],
        "messages": [{"role": "user", "content": "Please calculate 5 plus 3."}],
        "max_tokens": 128,
        "temperature": 0,
    },
    "knows_france": {
        "messages": [{"role": "user", "content": "In one word, can you provide me the capital of France?"}],
        "temperature": 0,
    },
    "json": {
        "messages": [{"role": "user", "content": "Give me a JSON object."}],
        "response_format": {"type": "json_object"},
        "max_tokens": 128,
        "temperature": 0,
    },
}
LACKS = {
    "tokenizer": "the tokenizer of the model is not known (--tokenizer DIR)",
    "calculates": "the model does not call a calculator when it is asked to calculate",
    "knows_france": "the model does not know the capital of France",
    "json": "the engine refuses `response_format`",
    "key": "no key of the target was given (--target-key)",
    "ignore_eos": "the card does not declare the capability `ignore_eos`: an engine that samples on behind the end when it is told to",
    "token_ids": "the engine returns no token ids",
    "logprobs": "the engine returns no logprobs",
    "tools": "the engine does not take tools",
    "streaming": "the engine does not stream",
    "unbuffered": "a cassette gives a stream at once",
    "metrics": "the engine shows no vllm:num_requests_running at /metrics",
}


@dataclass(slots=True)
class ChatPeers:
    """No peer is played here; what was learnt of the engine. `shown` are the capabilities that it showed, `listed` the models."""

    setting: Setting
    tokens: Tokens | None
    key: str | None
    model: str = ""
    context_tokens: int = UNKNOWN_CONTEXT
    shown: set[str] = field(default_factory=set)
    listed: frozenset[str] = frozenset()
    ids_at: str = field(default="", kw_only=True)  # where token ids were seen that are not where they should be

    @property
    def tokenizer_hash(self) -> str:
        return self.tokens.hash if self.tokens else "unknown"

    @property
    def unmatched_requests(self) -> int:
        return 0

    def resolve_placeholders(self, card: Card) -> Card:
        return card

    def context(self, case: Case) -> CaseContext:
        return CaseContext(
            self.model,
            self.key,
            self.tokens,
            self.setting.card,
            self.context_tokens,
            frozenset(self._all()),
            self.listed,
        )

    def _all(self) -> set[str]:
        """What was shown, and what the card declares."""
        declared = set(self.setting.card.capabilities)
        return {name for name in self.shown | declared if f"no_{name}" not in declared}

    def lacks(self, case: Case) -> str | None:
        engine = self.setting.engine
        for need in sorted(case.needs):
            if engine is not None and need in engine.lacks:
                return engine.lacks[need]
            if not self._has(need):
                if need == "token_ids" and self.ids_at:
                    return f"{LACKS[need]} where vLLM does (`choices[].token_ids`); a list of ids was seen at {self.ids_at}"
                return LACKS.get(need, f"{need} is excluded by the card")
        return None

    def _has(self, need: str) -> bool:
        """A model's own talents are declared; what engines commonly have is there unless the card says `no_NAME`."""
        if need == "tokenizer":
            return self.tokens is not None
        if need == "key":
            return self.key is not None
        if need in TO_BE_SHOWN:
            return need in self._all()
        return f"no_{need}" not in self.setting.card.capabilities

    async def capacity(self, base_url: str, dialects: tuple[str, ...], jobs: int) -> int | None:
        return None

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which model is asked: the one that is named, else the first that the engine lists. Raises `SuiteError` when there is no engine."""
        try:
            async with client() as http, asyncio.timeout(LOOK_S):
                listed = await http.get(f"{base_url}/v1/models", headers=self._headers())
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"no answer within {LOOK_S:g} s" if isinstance(error, TimeoutError) else transport_fault(error)
            raise SuiteError(f"{base_url} does not answer as an engine: {seen}") from error
        body = parse(listed.content)
        data = body.get("data") if isinstance(body, dict) else None
        models = {str(one.get("id")): one for one in data if isinstance(one, dict)} if isinstance(data, list) else {}
        named = self.setting.model or (self.setting.engine.model if self.setting.engine else self.setting.card.model)
        self.model, self.listed = named or next(iter(models), ""), frozenset(models)
        takes = models.get(self.model, {}).get("max_model_len")
        self.context_tokens = takes if type(takes) is int and 0 < takes <= MOST_CONTEXT else self.context_tokens
        return dialects

    async def learn(self, base_url: str, dialect: str, greeting: Trace) -> None:
        """The capabilities of an engine that answers greetings. Raises `SuiteError` when it stops answering."""
        response = greeting.exchanges[-1].response if greeting.exchanges else None
        if response is None or response.status != 200:
            return  # it lists a model that it does not know: that is for the cases to say
        try:
            async with client() as http, asyncio.timeout(LOOK_S * 3):
                await self._look(http, base_url)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            silent = isinstance(error, TimeoutError)
            seen = f"no end of its answers within {LOOK_S * 3:g} s" if silent else transport_fault(error)
            raise SuiteError(f"{base_url} does not answer as an engine: {seen}") from error

    async def _look(self, http: Any, base_url: str) -> None:
        hello = {**({"model": self.model} if self.model else {}), **GREETING}
        for name, more in PROBES.items():
            response = await http.post(f"{base_url}{CHAT}", json={**hello, **more}, headers=self._headers())
            if response.status_code == 200 and _shows(name, response):
                self.shown.add(name)
            elif name == "token_ids":
                self.ids_at = place_of_ids(parse(response.content)) or ""
        shown = await http.get(f"{base_url}/metrics")
        if shown.status_code == 200 and "vllm:num_requests_running" in shown.text:
            self.shown.add("metrics")

    def _headers(self) -> dict[str, str]:
        key = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return {"content-type": "application/json", **key}


def _shows(name: str, response: Any) -> bool:
    """What a server has it has, however badly: what is wrong with it is for the cases to say."""
    if name == "streaming":
        return "data:" in response.text
    choices = listed(mapping(parse(response.content)).get("choices"))
    if not choices or not isinstance(choices[0], Mapping):
        return False
    choice = choices[0]
    if name == "token_ids":
        return isinstance(choice.get("token_ids"), list)
    if name == "logprobs":
        return bool(choice.get("logprobs"))
    message = mapping(choice.get("message"))
    said = str(message.get("content") or "")
    if name == "calculates":
        return "add" in json.dumps(message.get("tool_calls") or [])
    return "paris" in said.lower() if name == "knows_france" else True


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


def read(session: Session, case: Case) -> CaseView:
    view = view_of(session)
    if any(response.status in BUSY for response in view.judged):
        session.busy()  # fewer at once from now on
    return view


def on_engine(engine: Engine) -> str:
    """A live run without a target judges the engine itself."""
    return engine.base_url


PROFILE = Profile(
    name="chat",
    dialects=("openai",),
    catalogue=requirements.load(ROOT / "contracts" / "chat" / "requirements.yaml"),
    default_target="app:rollout_server.engine.app:create_app",
    default_card=ROOT / "scenarios" / "cards" / "engine.yaml",
    tables={"openai": STREAM},
    peers=peers,
    read=read,
    invariants=(
        completions.members,
        completions.usage,
        tokens.token_ids,
        without_ids.counted,
        without_ids.spelled,
        tokens.alternatives,
        prompts.prompts,
        completions.finish_reasons,
        completions.call_ids,
        streams.streams,
        errors.rejections,
        errors.errors,
    ),
    replaces_duplicates=frozenset(),
    masks_other_findings=frozenset(),
    inconclusive_reason=lambda case, view: None,
    fuzz_adapter=fuzz_adapter,
    greeting=greeting,
    vocabulary=VOCABULARY,
    phrases=("rollout_conformance.steps.profiles.chat.phrases",),
    probe_result=read_probe,
    unexplored="explore walks over the order of events of a rollout, and a chat is one request and its answer; of an engine the cases "
    "(`run`) and generated requests (`pytest contracts/ --profile chat`) judge it",
    live_target=on_engine,
    capabilities=frozenset({*LACKS, *TO_BE_SHOWN, *COMMON, "shipped_tokenizer"}),
    mistakes=mistakes,
    cause=cause,
)
