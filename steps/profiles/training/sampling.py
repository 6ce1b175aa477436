"""The verb that samples from a model, a snapshot or the base model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.lenient_json import listed
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.training.calls import Meaning, made, response_named
from rollout_conformance.steps.profiles.training.checkpoints import sampler_of
from rollout_conformance.steps.profiles.training.context import Sampler, Stopped, TrainingSession
from rollout_conformance.steps.profiles.training.models import model_of
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse
from rollout_conformance.steps.profiles.training.training_data import Number
from rollout_conformance.steps.profiles.training.wire import Call, Members, chunks

PROMPT = (1, 2, 3)


def stop_token(response: TrainingResponse | None) -> int:
    """The token in the middle of what was sampled. Raises `Stopped` where there is none."""
    tokens = listed(response.sequences[0].get("tokens")) if response and response.sequences else []
    middle = tokens[len(tokens) // 2] if tokens else None
    if not isinstance(middle, int):
        raise Stopped("sampled tokens to stop at")
    return middle


@verb(
    "sample",
    short="model",
    example=("a", "{sampler: s, max_tokens: 4, params: {seed: 1}}", "{model: a, prompts: [words red], max_tokens: 3}"),
)
@phrase("the client samples from the model {model:word}")
@phrase("the client samples {max_tokens} tokens from the model {model:word}")
@phrase("the client samples from the snapshot {sampler:word}")
@dataclass(frozen=True, slots=True)
class Sample(NamedRequest):
    """Sample sequences with their logprobs."""

    model: str = "a"
    "The model; in the dialects `tinker-json` and `tinker` a snapshot of it is taken first."
    sampler: str = ""
    "The snapshot that is sampled from, in the dialects `tinker-json` and `tinker`."
    base: bool = False
    "Whether the base model is sampled from, in the dialects `tinker-json` and `tinker`."
    prompt: tuple[int, ...] = PROMPT
    "Token ids."
    prompts: tuple[str, ...] = ("words red green",)
    "The texts, in the dialect `signal`."
    num_samples: int = 1
    "How many sequences, in the dialects `tinker-json` and `tinker`."
    max_tokens: int | None = 8
    "How many tokens at most."
    temperature: Number | None = 1.0
    "null sends none."
    params: Mapping[str, object] = field(default_factory=dict)
    "More members of `sampling_params`; of the request in the dialect `signal`."
    options: Mapping[str, object] = field(default_factory=dict)
    "More members of the request."
    stop_of: ResponseName = ""
    "An earlier sample: the token in the middle of its first sequence is the stop token."
    other_stops: tuple[int, ...] = ()
    "Stop tokens that stand before that one in the request."
    key: str = ""
    "The key that it is sent with; default: that of the owner of the model."

    async def perform(self, session: TrainingSession) -> None:
        name = responses_of(session).reserve(self.name)
        model = model_of(session, self.model)
        if session.context.dialect == SIGNAL:
            call = self._signal(model.id)
        elif self.base:
            call = self._tinker(Sampler({"base_model": session.context.model}), session)
        else:
            sampler = await sampler_of(session, self.sampler, model, self.model)
            if sampler is None:
                raise Stopped("a snapshot to sample from")
            call = self._tinker(sampler, session)
        await made(session, name, call, Meaning("sample", self.model), self.key or model.key)

    def _sampling(self) -> Members:
        given: Members = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {**{name: one for name, one in given.items() if one is not None}, **self.params}

    def _signal(self, run: str) -> Call:
        body: Members = {"prompts": list(self.prompts), "return_logprobs": True, "top_p": 1.0}
        return Call(f"/runs/{path_segment(run)}/sample", {**body, **self._sampling(), **self.options})

    def _tinker(self, sampler: Sampler, session: TrainingSession) -> Call:
        body: Members = {"prompt": chunks(self.prompt), "num_samples": self.num_samples, **sampler.members}
        if sampler.counted:
            body["seq_id"] = sampler.next_seq
            sampler.next_seq += 1
        stop: Members = {}
        if self.stop_of:
            stop = {"stop": [*self.other_stops, stop_token(response_named(session, self.stop_of))]}
        body["sampling_params"] = {"top_k": -1, "top_p": 1.0, **stop, **self._sampling()}
        return Call("/api/v1/asample", {**body, "type": "sample", **self.options}, future=True)
