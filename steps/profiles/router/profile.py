"""The profile `router`: a router in front of backends is judged; the suite is its client and plays the backends."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import httpx

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.lateness import Lateness, watched
from rollout_conformance.steps.engine.target_card import Card, card_as
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.completion_responses import MODEL
from rollout_conformance.steps.peers.scripted_backends import Backend, Backends
from rollout_conformance.steps.profiles.base import NoPeers, Profile, Setting
from rollout_conformance.steps.profiles.chat import capabilities as chat
from rollout_conformance.steps.profiles.chat.phrase_modifiers import SHOWN as MODIFIERS
from rollout_conformance.steps.profiles.chat.view import CaseView, read
from rollout_conformance.steps.profiles.parts import (
    URL_ONLY,
    Contract,
    Found,
    Fuzz,
    Mutants,
    Reference,
    absent,
    lacking,
    possible,
)
from rollout_conformance.steps.profiles.router import fuzz_adapter
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.cause import cause
from rollout_conformance.steps.profiles.router.context import RouterContext, RouterSession
from rollout_conformance.steps.profiles.router.disturbing_cases import disturbs
from rollout_conformance.steps.profiles.router.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.router.invariants import (
    keys_of_backends_apart,
    no_client_keys_forwarded,
    no_leaks,
)
from rollout_conformance.steps.profiles.router.mistakes import mistakes
from rollout_conformance.steps.profiles.router.phrases import SHOWN as BACKENDS_SHOWN
from rollout_conformance.steps.profiles.router.recovery import Greeter
from rollout_conformance.steps.profiles.router.request_fidelity import requests_unmodified
from rollout_conformance.steps.profiles.router.response_fidelity import response_unmodified
from rollout_conformance.steps.profiles.router.vocabulary import VOCABULARY

NAMES = ("a", "b")
KEYS = ("limited", "limited_too", "poor", "other", "hmac")  # capabilities that a card has by a key of this name
COMMON = ("validation", "request_sampling")  # what every router has whose card does not declare `no_NAME`
VARIANTS = ("weights", "standby", "kv_router", "mortal")  # and by a variant
MORTAL = ("c", "d")  # the backends of the variant whose cases take backends down: the others are shared by all cases
CONTRACT = Contract(ROOT / "contracts" / "router")
CAPABILITIES = requirements.capabilities(CONTRACT.requirements)
HEALTH = "/health"
HINTS = {
    "validation": "a reverse proxy that forwards whatever it receives declares `no_validation` on its card: then this is not judged",
    "request_sampling": chat.HINTS["request_sampling"],
}
ANSWER_S = 5.0


@dataclass(slots=True)
class RouterPeers(NoPeers):
    """The backends of a run, once they serve. `urls` by name."""

    setting: Setting
    backends: Backends
    urls: dict[str, str]
    lateness: Lateness = field(default_factory=Lateness)
    counters: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    health: str | None = None
    greeter: Greeter = field(init=False)

    def __post_init__(self) -> None:
        self.greeter = Greeter(self._headers, self.backends, lambda: f"rc-{self.setting.run}-{next(self.counters)}x")

    @property
    def card(self) -> RouterCard:
        return card_as(RouterCard, self.setting.card)

    def _headers(self, variant: str = "") -> dict[str, str]:
        key = self.card.key_for(variant, self.setting.target_key)
        return {"content-type": "application/json", **self.setting.card.headers, **bearer(key)}

    def resolve_placeholders(self, card: Card) -> Card:
        """The card with the addresses of the backends in its environment and headers: {backend_a}, {backend_b}, and those that go down: {backend_c},
        {backend_d}. `engine` for `backend` is an older name of the same."""

        def fill(env: dict[str, str]) -> dict[str, str]:
            return {name: self.resolved(value) for name, value in env.items()}

        variants = {
            name: variant.model_copy(update={"env": fill(variant.env)}) for name, variant in card.variants.items()
        }
        return card.model_copy(update={"env": fill(card.env), "headers": fill(card.headers), "variants": variants})

    def resolved(self, text: str) -> str:
        """A text with the URLs of the backends for {backend_a} and so on, and with HOST:PORT for {backend_a_address}."""
        for backend, url in self.urls.items():
            for name, value in ((backend, url), (f"{backend}_address", url.partition("//")[2])):
                text = text.replace(f"{{backend_{name}}}", value).replace(f"{{engine_{name}}}", value)
        return text

    def context(self, case: Case) -> RouterContext:
        card = self.card
        key = card.key_for(case.variant, self.setting.target_key)
        ports = tuple(url.rpartition(":")[2] for url in self.urls.values())
        context = RouterContext(self.backends.model, key, None, card, 4096)
        addresses = tuple(self.urls[name] for name in NAMES)
        context = replace(context, backends=self.backends, ports=ports, addresses=addresses, run=self.setting.run)
        return replace(context, counter=self.counters, health=self.health or HEALTH, lateness=self.lateness)

    def found(self) -> Found:
        members = {"model": self.backends.model, **({"health": self.health} if self.health else {})}
        no_health = (
            () if self.health else (f"GET {HEALTH} is answered 404: name the path of the health check as `health`",)
        )
        may_have = possible(CAPABILITIES, CAPABILITIES, {"key", "health", *COMMON, *KEYS, *VARIANTS})
        return Found(members, no_health, {**may_have, **absent(HINTS, self.card)})

    def key_for(self, case: Case) -> str | None:
        return self.context(case).target_key

    def lacks(self, case: Case) -> str | None:
        if (case.alone or case.variant) and self.setting.target.startswith("http"):
            return URL_ONLY
        return lacking(CAPABILITIES, (need for need in case.needs if not self._has(case, need)))

    def _has(self, case: Case, need: str) -> bool:
        """Whether the card declares it, or has a key or a variant of that name."""
        card = self.card
        if need == "key":
            return self.context(case).key is not None
        if need == "health":
            return self.health is not None
        if need in COMMON:
            return f"no_{need}" not in card.capabilities
        return card.declares(need)

    async def discover(self, base_url: str, dialects: tuple[str, ...]) -> tuple[str, ...]:
        """There is one dialect; whether a greeting reaches a backend of the suite shows whether there is a router. Finds the path of its health
        check."""
        try:
            async with client(headers=self.card.headers) as http, asyncio.timeout(ANSWER_S):
                self.health = self.card.health or await _health(http, base_url)
        except (TimeoutError, httpx.HTTPError):
            self.health = None
        return dialects

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        return await self.greeter.well(client, base_url, within_s)

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        await self.greeter.served(client, base_url, variant)


async def _health(http: httpx.AsyncClient, base_url: str) -> str | None:
    """The path that most routers have, if this one has it."""
    reply = await http.get(f"{base_url}{HEALTH}")
    return None if reply.status_code == 404 else HEALTH


@contextlib.asynccontextmanager
async def peers(setting: Setting) -> AsyncIterator[RouterPeers]:
    """Serve the backends for a run. With `--listen HOST:PORT` the first is at this port and the others at the next ones."""
    backends = Backends(setting.model or card_as(RouterCard, setting.card).model or MODEL)
    host, port = setting.listen
    async with watched() as lateness, contextlib.AsyncExitStack() as stack:
        urls = {}
        for n, name in enumerate(NAMES + MORTAL):
            address = (host, port + n if port else 0)
            urls[name] = await stack.enter_async_context(asgi_binding.serve(Backend(name, backends), *address))
        yield RouterPeers(setting, backends, urls, lateness)


def read_case(session: RouterSession, case: Case) -> CaseView:
    return read(session)


PROFILE = Profile(
    name="router",
    dialects=("openai",),
    catalogue=requirements.load(CONTRACT.requirements),
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.router.app:create_app",
        ROOT / "scenarios" / "cards" / "router.yaml",
        Mutants("rollout_conformance.rollout_server.mutants.router", "ROUTER_MUTANT"),
        served_by="rollout_conformance.steps.profiles.router.serve",
    ),
    peers=peers,
    read=read_case,
    invariants=(no_leaks, no_client_keys_forwarded, keys_of_backends_apart, requests_unmodified, response_unmodified),
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="ROUTER-300",
        accepts="ROUTER-301",
        rejects="ROUTER-302",
        no_5xx="ROUTER-303",
        no_internals="ROUTER-009",
        no_secrets="ROUTER-010",
        by_check={"unsupported_method": "ROUTER-024", "ignored_auth": "ROUTER-011"},
        plain=False,  # the suite does not play the backends of a router that it did not start
    ),
    greeting=greeting,
    vocabulary=VOCABULARY,
    modifiers=MODIFIERS,
    told=BACKENDS_SHOWN,
    phrases=(
        "rollout_conformance.steps.profiles.chat.phrases",
        "rollout_conformance.steps.profiles.router.phrases",
    ),
    probe_result=read_probe,
    unexplored="explore walks over the order of events of a rollout, and a router forwards one request and its response; the "
    "cases (`run`) and generated requests (`pytest contracts/ --profile router`) judge it",
    capabilities=frozenset(CAPABILITIES),
    hints=HINTS,
    card=RouterCard,
    mistakes=mistakes,
    cause=cause,
    disturbs=disturbs,
    closing="Not fit to put in front of backends",
)
