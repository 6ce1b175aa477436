"""From a valid request of the dialect `tinker-json` to the work that it asks for, at arrival and after a restart alike."""

import secrets
from collections.abc import Callable
from typing import Any

from rollout_conformance.contracts.training import wire_tinker as wire
from rollout_conformance.rollout_server.training import batch, checkpoints, errors, tensors, works
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, SEEDS
from rollout_conformance.rollout_server.training.batch import Limits
from rollout_conformance.rollout_server.training.checkpoints import SAMPLER_WEIGHTS, WEIGHTS, Path
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.sampling import Sampling
from rollout_conformance.rollout_server.training.works import Work


def build(app_state: AppState, user: str, model: Row, kind: str, given: Any) -> Work:
    """Raises `UserError` for everything that can be known before its turn."""
    return BUILDERS[kind](app_state, user, model, given)


def limits(app_state: AppState) -> Limits:
    return Limits(app_state.settings.max_batch, app_state.settings.max_tokens)


def forward(app_state: AppState, user: str, model: Row, given: wire.Forward) -> Work:
    return works.Forward(batch.parse(given.forward_input, limits(app_state)))


def forward_backward(app_state: AppState, user: str, model: Row, given: wire.ForwardBackward) -> Work:
    return works.ForwardBackward(batch.parse(given.forward_backward_input, limits(app_state)))


def optim_step(app_state: AppState, user: str, model: Row, given: wire.OptimStep) -> Work:
    return works.OptimStep(AdamOptions(**given.adam_params.model_dump()))


def save_weights(app_state: AppState, user: str, model: Row, given: wire.SaveWeights) -> Work:
    path = Path(model["id"], WEIGHTS, checkpoint_name(given.path))
    check_free(app_state, path, overwrite=given.overwrite)
    return works.Save(path, given.ttl_seconds)


def save_weights_for_sampler(app_state: AppState, user: str, model: Row, given: wire.SaveWeightsForSampler) -> Work:
    if given.path is None and given.sampling_session_seq_id is not None:
        return unnamed_sampler(app_state, user, model, given)
    path = Path(model["id"], SAMPLER_WEIGHTS, checkpoint_name(given.path))
    check_free(app_state, path, overwrite=given.overwrite)
    return works.Save(path, given.ttl_seconds)


def unnamed_sampler(app_state: AppState, user: str, model: Row, given: wire.SaveWeightsForSampler) -> Work:
    if given.ttl_seconds is not None:
        raise errors.not_implemented("ttl_seconds of a sampling session")
    if model["session"] is None:
        raise errors.invalid("This model belongs to no session")
    sampler = sampler_id(model["session"], given.sampling_session_seq_id or 0)
    if app_state.service.database.one("SELECT id FROM samplers WHERE id = ?", sampler) is not None:
        raise errors.conflict("The session has a sampling session with this number")
    return works.SaveForSampler(sampler, model["session"])


def sampler_id(session: str, number: int) -> str:
    """Not to be guessed, as that of its session is not."""
    return f"{session}-sampler-{number}"


def check_free(app_state: AppState, path: Path, *, overwrite: bool) -> None:
    if not overwrite and app_state.service.checkpoints.is_taken(path):
        raise errors.conflict(f"There is a checkpoint with the name {path.name}")


def checkpoint_name(written: str | None) -> str:
    return f"auto-{secrets.token_hex(8)}" if written is None else checkpoints.check_name(written)


def load_weights(app_state: AppState, user: str, model: Row, given: wire.LoadWeights) -> Work:
    if given.weights_access_token is not None:
        raise errors.not_implemented("weights_access_token")
    path = checkpoints.parse_path(given.path)
    find(app_state, user, path)
    return works.Load(path, given.optimizer)


def find(app_state: AppState, user: str, path: Path) -> None:
    """That it is there, or will be once a request of this user has run. Raises `UserError` 404."""
    service = app_state.service
    if not service.will_exist(user, path):
        service.checkpoints.readable(user, path)


def unload_model(app_state: AppState, user: str, model: Row, given: wire.ModelRequest) -> Work:
    return works.Unload()


def sample(app_state: AppState, user: str, given: wire.Sample) -> tuple[Work, str]:
    """And the base model. Raises `UserError`."""
    base, file = source(app_state, user, given)
    prompt = tuple(tensors.tokens(given.prompt, "prompt").tolist())
    if given.num_samples > app_state.settings.max_samples:
        raise errors.invalid(f"num_samples is more than {app_state.settings.max_samples}")
    asked = bool(given.prompt_logprobs)
    options = sampling_options(app_state, given.sampling_params, len(prompt))
    return works.Sample(prompt, given.num_samples, options, file, asked, given.topk_prompt_logprobs), base


def source(app_state: AppState, user: str, given: wire.Sample) -> tuple[str, str | None]:
    """The base model and the file of the weights to sample from."""
    named = [one for one in (given.base_model, given.model_path, given.sampling_session_id) if one is not None]
    if given.sampling_session_id is not None:
        if len(named) != 1:
            raise errors.invalid("sampling_session_id stands alone: the session names the model")
        return of_session(app_state, user, given.sampling_session_id)
    return weights_of(app_state, user, given.base_model, given.model_path)


def weights_of(app_state: AppState, user: str, base: str | None, path: str | None) -> tuple[str, str | None]:
    if path is not None:
        row = app_state.service.checkpoints.readable(user, checkpoints.parse_path(path))
        own = str(checkpoints.about_of(row)["base_model"])
        if base not in (None, own):
            raise errors.invalid("base_model is not that of model_path")
        return own, str(row["file"])
    if base is None:
        raise errors.invalid("One of base_model, model_path and sampling_session_id is needed")
    return check_base(base), None


def check_base(name: str) -> str:
    if name not in SEEDS:
        raise errors.invalid(f"base_model is not one of {', '.join(SEEDS)}")
    return name


def of_session(app_state: AppState, user: str, sampler: str) -> tuple[str, str | None]:
    row = app_state.service.database.one("SELECT * FROM samplers WHERE id = ?", sampler)
    if row is None or row["user"] != user:
        raise errors.no_such("sampling session")
    app_state.service.models.touch(user, row["session"])
    return row["base_model"], row["file"]


def sampling_options(app_state: AppState, given: wire.SamplingParams, prompt: int) -> Sampling:
    room = MAX_CONTEXT - prompt
    most = room if given.max_tokens is None else given.max_tokens
    if most > room or room < 1:
        raise errors.invalid(f"The prompt and max_tokens exceed the context of {MAX_CONTEXT} tokens")
    texts, tokens = stops(app_state, given.stop)
    seed = secrets.randbits(63) if given.seed is None else given.seed
    return Sampling(most, seed, given.temperature, given.top_k, given.top_p, tokens, texts)


def stops(app_state: AppState, stop: str | list[str] | list[int] | None) -> tuple[tuple[str, ...], frozenset[int]]:
    if stop is None:
        return (), frozenset({app_state.codec.end})
    listed = [stop] if isinstance(stop, str) else stop
    texts = tuple(one for one in listed if isinstance(one, str))
    if "" in texts:
        raise errors.invalid("stop has an empty text")
    return texts, frozenset(one for one in listed if isinstance(one, int))


BUILDERS: dict[str, Callable[[AppState, str, Row, Any], Work]] = {
    "forward": forward,
    "forward_backward": forward_backward,
    "optim_step": optim_step,
    "save_weights": save_weights,
    "save_weights_for_sampler": save_weights_for_sampler,
    "load_weights": load_weights,
    "unload_model": unload_model,
}
