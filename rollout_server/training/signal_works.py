"""The works of the dialect `signal`."""

import secrets
import zlib
from dataclasses import dataclass
from typing import Any

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.training import (
    adapter,
    errors,
    sampling,
    signal_batch,
    signal_step,
)
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, Floats
from rollout_conformance.rollout_server.training.checkpoints import About, Path
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import about_of
from rollout_conformance.rollout_server.training.sampling import Sampling
from rollout_conformance.rollout_server.training.signal_batch import SignalBatch
from rollout_conformance.rollout_server.training.signal_step import Schedule
from rollout_conformance.rollout_server.training.training_step import Outcome
from rollout_conformance.rollout_server.training.works import Context, Done, Run, Work, trained

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def recorded(context: Context, outcome: Outcome) -> Done:
    """With one entry in the metrics of the run."""
    entry = {name: value for name, value in outcome.result.items() if name != "metrics"}

    def commit() -> None:
        text = json_text.dumps({**entry, **outcome.result.get("metrics", {})}).decode()
        context.database.insert("metrics", model=context.model, step=outcome.state.step, entry=text)

    return Done(outcome.state, outcome.result, commit)


@dataclass(frozen=True, slots=True)
class ForwardBackward:
    batch: SignalBatch
    request_id: str | None
    dropout: float

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            seed = zlib.crc32(context.model.encode())
            outcome = signal_step.forward_backward(context.base, trained(state), self.batch, self.dropout, seed)
            result = {**outcome.result, "request_id": self.request_id, "status": "completed"}
            return recorded(context, Outcome(outcome.state, result))

        return run


@dataclass(frozen=True, slots=True)
class OptimStep:
    """`rate` is for this step alone; None: what the run's schedule says."""

    rate: float | None
    schedule: Schedule
    weight_decay: float

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            own = trained(state)
            rate = self.schedule.at(own.step) if self.rate is None else self.rate
            options = AdamOptions(rate, BETA1, BETA2, EPS, self.weight_decay)
            return recorded(context, signal_step.optimize(own, options))

        return run


@dataclass(frozen=True, slots=True)
class Sample:
    prompts: tuple[tuple[int, ...], ...]
    options: Sampling
    logprobs: bool
    app_state: AppState

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            own = trained(state)
            unembedding = adapter.unembedding(context.base, own.shape, own.parameters)
            sampled = [
                sampling.sample(context.base, unembedding, prompt, self.options, nth, context.decode)
                for nth, prompt in enumerate(self.prompts)
            ]
            return Done(own, self.described(sampled))

        return run

    def described(self, sampled: list[sampling.Sampled]) -> dict[str, Any]:
        codec = self.app_state.codec
        return {
            "outputs": [codec.decode(one.tokens) for one in sampled],
            "token_ids": [one.tokens for one in sampled],
            "tokens": [[codec.token(token) for token in one.tokens] for one in sampled],
            "logprobs": [one.logprobs for one in sampled] if self.logprobs else None,
        }


@dataclass(frozen=True, slots=True)
class SaveState:
    """`merged`: the file has the matrix of the base model with the adapter in it as well."""

    mode: str
    artifact: str

    def prepare(self, context: Context) -> Run:
        def run(state: ModelState | None) -> Done:
            own = trained(state)
            file = context.checkpoints.files.write(own, merged(context, own) if self.mode == "merged" else None)
            path = Path(context.model, "weights", f"{self.artifact}-{self.mode}")
            about = About(context.base.name, own.shape.rank, own.step)

            def commit() -> None:
                context.checkpoints.add(context.user, path, file, about, None)

            return Done(own, saved(path, own.step, self.mode, file[1]), commit)

        return run


def merged(context: Context, state: ModelState) -> Floats:
    return adapter.unembedding(context.base, state.shape, state.parameters)


def saved(path: Path, step: int, mode: str, size: int) -> dict[str, Any]:
    uri = f"signal://{path.model}/{path.name}"
    manifest = {"step": step, "mode": mode, "size_bytes": size}
    return {"artifact_uri": uri, "checkpoint_path": uri, "manifest": manifest, "pushed_to_hub": False}


def build(app_state: AppState, run: Row, kind: str, given: Any) -> Work:
    """Raises `UserError`."""
    config = about_of(run)["config"]
    if kind == "forward_backward":
        batch = signal_batch.parse(given, app_state.codec, int(config["max_seq_length"]))
        return ForwardBackward(batch, given.request_id, config["lora_dropout"])
    if kind == "optim_step":
        schedule = Schedule(
            config["learning_rate"], config["lr_scheduler"], config["warmup_steps"], app_state.settings.schedule_steps
        )
        return OptimStep(given.learning_rate, schedule, config["weight_decay"])
    return sample(app_state, given) if kind == "sample" else save_state(given)


def sample(app_state: AppState, given: wire.Sample) -> Work:
    prompts = tuple(tuple(app_state.codec.encode(prompt)) for prompt in given.prompts)
    if not all(prompts):
        raise errors.invalid("A prompt has no tokens")
    if max(len(prompt) for prompt in prompts) + given.max_tokens > MAX_CONTEXT:
        raise errors.invalid(f"A prompt and max_tokens exceed the context of {MAX_CONTEXT} tokens")
    stop = frozenset({app_state.codec.end})
    options = Sampling(given.max_tokens, secrets.randbits(63), given.temperature, -1, given.top_p, stop)
    return Sample(prompts, options, given.return_logprobs, app_state)


def save_state(given: wire.SaveState) -> Work:
    if given.push_to_hub:
        raise errors.not_implemented("push_to_hub")
    return SaveState(given.mode, f"step-{secrets.token_hex(8)}")
