"""The profile `chat`: an inference server behind the chat API of OpenAI is judged, the suite is its client."""

from rollout_conformance.contracts import requirements
from rollout_conformance.contracts.chat.lifecycle import STREAM
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.chat import fuzz_adapter
from rollout_conformance.steps.profiles.chat.capabilities import CAPABILITIES
from rollout_conformance.steps.profiles.chat.cause import BUSY, cause
from rollout_conformance.steps.profiles.chat.greeting import greeting, read_probe
from rollout_conformance.steps.profiles.chat.invariants import (
    completions,
    errors,
    prompts,
    streams,
    tokens,
    without_ids,
)
from rollout_conformance.steps.profiles.chat.mistakes import mistakes
from rollout_conformance.steps.profiles.chat.peers import peers
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.chat.view import read as view_of
from rollout_conformance.steps.profiles.chat.vocabulary import VOCABULARY


def read(session: Session, case: Case) -> CaseView:
    view = view_of(session)
    if any(response.status in BUSY for response in view.judged):
        session.busy()  # fewer at once from now on
    return view


def live_target(engine: Engine) -> str:
    """A live run without a target judges the live server itself."""
    return engine.base_url


PROFILE = Profile(
    name="chat",
    dialects=("openai",),
    catalogue=requirements.load(ROOT / "contracts" / "chat" / "requirements.yaml"),
    default_target="app:rollout_server.inference.app:create_app",
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
    unexplored="explore walks over the order of events of a rollout, and a chat is one request and its response: the cases (`run`) and "
    "generated requests (`pytest contracts/ --profile chat`) judge it",
    live_target=live_target,
    capabilities=CAPABILITIES,
    mistakes=mistakes,
    cause=cause,
)
