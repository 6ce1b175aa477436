"""The profile `chat`: an inference server behind the chat API of OpenAI is judged, the suite is its client."""

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.chat.lifecycle import STREAM
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.chat import fuzz_adapter
from rollout_conformance.steps.profiles.chat.capabilities import CAPABILITIES, HINTS
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.cause import BUSY, cause
from rollout_conformance.steps.profiles.chat.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.chat.invariants import (
    calls,
    completions,
    end_of_turn,
    errors,
    prompts,
    streams,
    tokens,
    without_ids,
)
from rollout_conformance.steps.profiles.chat.mistakes import mistakes
from rollout_conformance.steps.profiles.chat.peers import peers
from rollout_conformance.steps.profiles.chat.phrase_modifiers import SHOWN as MODIFIERS
from rollout_conformance.steps.profiles.chat.view import CaseView, ChatSession, ChatState
from rollout_conformance.steps.profiles.chat.view import read as view_of
from rollout_conformance.steps.profiles.chat.vocabulary import VOCABULARY
from rollout_conformance.steps.profiles.parts import Contract, Fuzz, Mutants, Reference
from rollout_conformance.steps.profiles.recording import Recorder


def read(session: ChatSession, case: Case) -> CaseView:
    view = view_of(session)
    if any(response.status in BUSY for response in view.judged):
        session.busy()  # fewer at once from now on
    return view


def live_target(engine: Engine) -> str:
    """A live run without a target judges the live server itself."""
    return engine.base_url


CONTRACT = Contract(ROOT / "contracts" / "chat")


def recorder(target: str) -> Recorder:
    """Imported when traffic is recorded."""
    from rollout_conformance.steps.profiles.chat.recording import ChatRecorder

    return ChatRecorder(target)


PROFILE: Profile[ChatState, CaseView] = Profile(
    name="chat",
    closing="Not fit to train on",
    dialects=("openai",),
    catalogue=requirements.load(CONTRACT.requirements),
    contract=CONTRACT,
    reference=Reference(
        "app:rollout_server.inference.app:create_app",
        ROOT / "scenarios" / "cards" / "engine.yaml",
        Mutants("rollout_conformance.rollout_server.mutants.inference", "ENGINE_MUTANT"),
        served_by="rollout_conformance.steps.profiles.chat.serve",
    ),
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
        tokens.alternatives_together,
        prompts.prompts,
        completions.finish_reasons,
        calls.calls,
        end_of_turn.end_of_turn,
        streams.streams,
        errors.rejections,
        errors.errors,
    ),
    fuzz=Fuzz(
        fuzz_adapter.Adapter(),
        conforms="CHAT-300",
        accepts="CHAT-301",
        rejects="CHAT-302",
        no_5xx="CHAT-303",
        no_internals="CHAT-005",
        no_secrets="CHAT-007",
        by_check={"ignored_auth": "CHAT-006"},
    ),
    greeting=greeting,
    vocabulary=VOCABULARY,
    modifiers=MODIFIERS,
    phrases=("rollout_conformance.steps.profiles.chat.phrases",),
    probe_result=read_probe,
    unexplored="explore walks over the order of events of a rollout, and a chat is one request and its response: the cases (`run`) and "
    "generated requests (`pytest contracts/ --profile chat`) judge it",
    live_target=live_target,
    capabilities=CAPABILITIES,
    hints=HINTS,
    card=ChatCard,
    mistakes=mistakes,
    cause=cause,
    record=recorder,
)
