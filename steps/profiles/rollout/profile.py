"""The profile `rollout`: a rollout server is judged, the suite plays the trainer."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from contracts import requirements
from contracts.rollout.lifecycle import TABLES
from steps.engine.card import Card
from steps.engine.cases import Case
from steps.engine.findings import SuiteError
from steps.engine.http import client
from steps.engine.session import GaveUp, Session
from steps.engine.trace import Trace
from steps.live.trainer import LiveTrainer, stable_number
from steps.peers import served, tokens
from steps.peers.script import Reply, Script
from steps.peers.trainer import ScriptedTrainer
from steps.profiles.base import Profile, Setting
from steps.profiles.rollout import fuzzed
from steps.profiles.rollout.actions import End, Start, TrainerSays
from steps.profiles.rollout.bench import SHIPPED_TOKENIZER, Bench, Live, lives
from steps.profiles.rollout.checks import IDS
from steps.profiles.rollout.checks.auth import auth, isolation, secrets
from steps.profiles.rollout.checks.completion import completion, repetition
from steps.profiles.rollout.checks.ending import ending, errors
from steps.profiles.rollout.checks.history import history
from steps.profiles.rollout.checks.mask import mask
from steps.profiles.rollout.checks.metrics import metrics, numbers
from steps.profiles.rollout.checks.order import order
from steps.profiles.rollout.checks.requests import requests
from steps.profiles.rollout.checks.routed import routed
from steps.profiles.rollout.checks.surface import surface
from steps.profiles.rollout.checks.tools import tools
from steps.profiles.rollout.given import START_PATH
from steps.profiles.rollout.mistakes import mistakes
from steps.profiles.rollout.talk import Rollout, Talk, answer, read_rollout

ROOT = Path(__file__).parents[3]
SMOKE_PATIENCE_S = 10.0
ANSWER_S = 5.0  # an empty start request is refused at once
LACKS = {
    "server_key": "no key of the target was given (--target-key)",
    "no_server_key": "the target has a key, and the card no variant without one",
    "calculator": "the target does not show the four tools of the calculator",
    "part_of_calculator": "the target shows no tool of the calculator",
    "tools": "neither the card nor the target names a tool that can be called",
    "generation_timeout": "the card declares no generation_timeout_s",
    "rollout_timeout": "the card declares no rollout_timeout_s",
    "max_concurrent": "the card declares no max_concurrent",
    "tool_timeout": "the card declares no tool_timeout_s with a hanging_tool",
    "restart": "the suite cannot stop a target that it was only given the URL of",
    "shipped_tokenizer": "the target uses a tokenizer of its own",
}

CAPABILITIES = ("idempotency_key", "shown_id", "reward")  # declared by a card, and by nothing else


@dataclass(slots=True)
class RolloutPeers:
    """The served trainer of a run, and what was learnt of the target."""

    setting: Setting
    trainer: ScriptedTrainer
    trainer_url: str
    tokenizer: Path
    benches: dict[tuple[str, str], Bench] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    counters: dict[str, "itertools.count[int]"] = field(default_factory=dict)

    @property
    def tokenizer_hash(self) -> str:
        return tokens.load(self.tokenizer).hash

    @property
    def strays(self) -> int:
        return len(self.trainer.strays)

    def placed(self, card: Card) -> Card:
        return card

    def bench(self, case: Case) -> Bench:
        place = (case.dialect, case.variant)
        if place not in self.benches:
            self.benches[place] = self._bench(case.dialect, case.variant)
        if self.setting.engine is None:
            return self.benches[place]
        # A recorded session is asked for word for word: the names of a case must not depend on what else runs.
        counter = self.counters.setdefault(case.id, itertools.count(stable_number(case.id)))
        return replace(self.benches[place], counter=counter)

    def _bench(self, dialect: str, variant: str) -> Bench:
        card = self.setting.card
        key = self.setting.target_key if self.setting.target_key is not None else card.key
        if variant and card.variants[variant].key is not None:
            key = card.variants[variant].key
        return Bench(
            self.trainer,
            self.trainer_url,
            dialect,
            card,
            card.limits(variant),
            key or None,
            self.setting.run,
            self.tokenizer,
            self.setting.tokenizer_name or card.tokenizer_name,
            self.tools.get(dialect, {}),
            self.counter,
        )

    def lacks(self, case: Case) -> str | None:
        """Why a case does not apply to this target."""
        card = self.setting.card
        if (case.alone or case.variant) and self.setting.target.startswith("http"):
            return "the suite cannot start or stop a target that it is only given the URL of"
        limits = card.limits(case.variant)
        engine = self.setting.engine
        for need in sorted(case.needs):
            if engine is not None and need in engine.lacks:
                return engine.lacks[need]
            if not self._has(need, limits, case):
                return LACKS.get(need, f"{need} is neither declared by the card nor shown by the target")
        return None

    def _has(self, need: str, limits: Any, case: Case) -> bool:
        card, bench = self.setting.card, self.bench(case)
        if need == "tools":
            return bool(bench.usable_tools())
        if need == "calculator":
            return card.tools is None and all(name in bench.tools for name in ("add", "subtract", "multiply", "divide"))
        if need == "part_of_calculator":
            return card.tools is None and any(name in bench.tools for name in ("add", "subtract", "multiply", "divide"))
        if need == "server_key":
            return bench.target_key is not None
        if need == "no_server_key":
            return bench.target_key is None
        if need == "restart":
            return not self.setting.target.startswith("http")
        if need == "shipped_tokenizer":
            return self.tokenizer == SHIPPED_TOKENIZER and not (self.setting.tokenizer_name or card.tokenizer_name)
        if need == "tool_timeout":
            return limits.tool_timeout_s is not None and card.hanging_tool is not None
        if need in ("generation_timeout", "rollout_timeout"):
            return getattr(limits, f"{need}_s") is not None
        return limits.max_concurrent is not None if need == "max_concurrent" else need in card.capabilities

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the dialects the target shows. Raises `SuiteError` when it shows none."""
        try:
            async with client() as http, asyncio.timeout(ANSWER_S * len(dialects)):
                shown = [dialect for dialect in dialects if await self._shows(http, base_url, dialect)]
        except (TimeoutError, httpx.HTTPError) as error:
            raise SuiteError(
                f"{base_url} answers /health but not an empty start request: {error or 'silence'}"
            ) from error
        if not shown:
            paths = " and ".join(f"POST {START_PATH[dialect]}" for dialect in dialects)
            raise SuiteError(
                f"{base_url} has none of the endpoints to judge: {paths} answer(s) 404. Is this a rollout server? "
                "Name its dialect with --dialect if it has another one."
            )
        for dialect in shown:
            await self._learn_tools(base_url, dialect)
        self.benches.clear()
        return tuple(shown)

    async def _shows(self, http: Any, base_url: str, dialect: str) -> bool:
        """`sync` and `routed` share a path: the one has /tools beside it, the other /rollout/cancel."""
        if not await self._has_path(http, "POST", base_url + START_PATH[dialect]):
            return False
        if dialect == "callback":
            return True
        routed = await self._has_path(http, "POST", f"{base_url}/rollout/cancel")
        if dialect == "routed":
            return routed
        return not routed or await self._has_path(http, "GET", f"{base_url}/tools")

    async def _has_path(self, http: Any, method: str, url: str) -> bool:
        headers = {"content-type": "application/json"}
        reply = await http.request(method, url, content=b"{}" if method == "POST" else b"", headers=headers)
        return reply.status_code not in (404, 405, 501)

    async def _learn_tools(self, base_url: str, dialect: str) -> None:
        """The tools that the target shows: /tools (sync), or the 202 of a first rollout (callback)."""
        if dialect in ("sync", "routed"):
            listed = await self._listed(base_url)
        else:
            listed = await self._tools_of_a_rollout(base_url)
        named = [tool for tool in listed or [] if isinstance(tool, dict) and isinstance(tool.get("function"), dict)]
        self.tools[dialect] = {tool["function"].get("name", ""): tool for tool in named}

    async def _listed(self, base_url: str) -> Any:
        """What /tools lists; nothing when it does not answer, which a case will say."""
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with client() as http, asyncio.timeout(ANSWER_S):
                return _json((await http.get(f"{base_url}/tools")).content).get("tools")
        return None

    async def _tools_of_a_rollout(self, base_url: str) -> Any:
        async with client() as http:
            session = Session(base_url, http, Trace(), SMOKE_PATIENCE_S, 0.0)
            session.bench = self._bench("callback", "")
            with contextlib.suppress(GaveUp):
                await TrainerSays(Script((Reply(text="Hello."),))).perform(session)
                await Start().perform(session)
                await End().perform(session)
            starts = [e for e in session.trace.exchanges if e.to_target and e.response is not None]
            await session.close()
        return _json(starts[-1].response.body).get("tools") if starts and starts[-1].response else None


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[RolloutPeers]:
    """Serve the trainer for a run."""
    tokenizer = setting.tokenizer or (Path(setting.card.tokenizer) if setting.card.tokenizer else SHIPPED_TOKENIZER)
    tokens.load(tokenizer)
    async with _trainer(setting) as trainer, served.serve(trainer, *setting.listen) as url:
        yield RolloutPeers(setting, trainer, url, tokenizer)


@contextlib.asynccontextmanager
async def _trainer(setting: Setting) -> AsyncIterator[ScriptedTrainer]:
    if setting.engine is None:
        yield ScriptedTrainer()
        return
    async with client() as http:
        yield LiveTrainer(http, setting.engine)


def read(session: Session, case: Case) -> Talk:
    """A finished session as the checks read it."""
    bench: Bench = session.bench
    rollouts = {
        label: _rollout(session, part) for label, part in lives(session.state).items() if part.given is not None
    }
    others = tuple(answer(e) for e in session.trace.exchanges if e.to_target and e.rollout == "-")
    return Talk(
        session.trace,
        case.dialect,
        rollouts,
        others,
        bench.card,
        bench.limits,
        bench.tools,
        session.state["target"].log(),
        bench.target_key,
        gave_up=tuple(session.state.get("gave_up", ())),
    )


def _rollout(session: Session, part: Live) -> Rollout:
    if part.given is None or part.enrolled is None:
        raise SuiteError("a rollout was read before it was started")
    if part.given.nonce in session.bench.trainer.troubles:
        raise SuiteError(session.bench.trainer.troubles[part.given.nonce])
    enrolled, deadline = part.enrolled, session.bench.limits.generation_timeout_s
    return read_rollout(session.trace, part.given, enrolled.issued, enrolled.tokens, enrolled.tools, deadline)


def overdue(case: Case, talk: Talk) -> str | None:
    """Why a failed case proves nothing: a deadline that the target declares passed while the suite kept it waiting."""
    limits = [limit for limit in (talk.limits.generation_timeout_s, talk.limits.rollout_timeout_s) if limit is not None]
    if not limits or case.needs & {"generation_timeout", "rollout_timeout", "tool_timeout"}:
        return None
    for rollout in talk.rollouts.values():
        times = [event.at for event in rollout.events]
        if rollout.is_error() and times and times[-1] - times[0] >= 0.9 * min(limits):
            return f"the case took longer than a deadline of the target's own ({min(limits):g} s)"
    return None


PROFILE = Profile(
    name="rollout",
    dialects=("sync", "callback", "routed"),
    catalogue=requirements.load(ROOT / "contracts" / "rollout" / "requirements.yaml"),
    default_target="app:rollout_server.app:create_app",
    default_card=ROOT / "scenarios" / "cards" / "reference.yaml",
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
        repetition,
        auth,
        secrets,
        isolation,
        metrics,
        numbers,
        surface,
    ),
    by_invariants=IDS,
    echoed_by=frozenset({"ROLLOUT-112", "ROLLOUT-113", "ROLLOUT-114"}),
    drowned_by=frozenset({"ROLLOUT-063"}),
    excuse=overdue,
    fuzzed=fuzzed,
    capabilities=frozenset({*LACKS, *CAPABILITIES}),
    mistakes=mistakes,
)
