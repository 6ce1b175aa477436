"""Defects of sampling of the dialect `tinker-json`."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import sampling, tinker_works, works
from rollout_conformance.rollout_server.training.sampling import Sampled


def _shifted(one: Sampled) -> Sampled:
    one.logprobs = one.logprobs[1:] + one.logprobs[:1]
    return one


def _one_missing(one: Sampled) -> Sampled:
    one.logprobs = one.logprobs[:-1]
    return one


def _of_base(original: Any, base: Any, unembedding: Any, tokens: Any, temperature: float) -> Any:
    """Training has gone on, and the sampler has not."""
    return original(base, base.unembedding, tokens, temperature)


def _squared(original: Any, base: Any, unembedding: Any, tokens: Any, temperature: float) -> Any:
    return original(base, unembedding, tokens, temperature**2)


def _always_stop(one: Sampled) -> Sampled:
    one.stop_reason = "stop"
    return one


def _always_length(one: Sampled) -> Sampled:
    one.stop_reason = "length"
    return one


def _one_more(original: Any, base: Any, unembedding: Any, prompt: Any, options: Any, nth: int, decode: Any) -> Any:
    return original(base, unembedding, prompt, replace(options, max_tokens=options.max_tokens + 1), nth, decode)


def _empty_is_default(original: Any, app_state: Any, stop: Any) -> Any:
    return original(app_state, stop or None)


def _default_is_empty(original: Any, app_state: Any, stop: Any) -> Any:
    return original(app_state, [] if stop is None else stop)


def _first_stop_only(original: Any, app_state: Any, stop: Any) -> Any:
    return original(app_state, stop[:1] if isinstance(stop, list) else stop)


def _one_seed(original: Any, app_state: Any, given: Any, prompt: int) -> Any:
    """A request without a seed has that of the process."""
    return original(app_state, given.model_copy(update={"seed": given.seed or 1}), prompt)


def _beyond_forty(original: Any, base: Any, unembedding: Any, tokens: Any, temperature: float) -> Any:
    """What comes after 40 tokens does not depend on them."""
    return original(base, unembedding, tokens[40:] or tokens, temperature)


def _stops_ignored(original: Any, app_state: Any, stop: Any) -> Any:
    return original(app_state, None if stop else stop)


def _first_only(original: Any, app_state: Any, user: str, given: Any) -> Any:
    work, base = original(app_state, user, given)
    return replace(work, count=1), base


def _same_for_all(original: Any, base: Any, unembedding: Any, prompt: Any, options: Any, nth: int, decode: Any) -> Any:
    return original(base, unembedding, prompt, options, 0, decode)


def _seedless(original: Any, app_state: Any, given: Any, prompt: int) -> Any:
    return original(app_state, given.model_copy(update={"seed": None}), prompt)


def _option_ignored(**members: Any) -> Any:
    def choose(original: Any, log_probabilities: Any, options: Any, random: Any) -> Any:
        return original(log_probabilities, replace(options, **members), random)

    return choose


def _no_top(original: Any, self: works.Sample, base: Any, unembedding: Any) -> dict[str, Any]:
    made: dict[str, Any] = original(self, base, unembedding)
    return {name: value for name, value in made.items() if name != "topk_prompt_logprobs"}


def _no_prompt_logprobs(original: Any, self: works.Sample, base: Any, unembedding: Any) -> dict[str, Any]:
    return {}


def _changed(change: Any) -> Any:
    def of_prompt(original: Any, self: works.Sample, base: Any, unembedding: Any) -> dict[str, Any]:
        made: dict[str, Any] = original(self, base, unembedding)
        return {**made, **({"prompt_logprobs": change(made["prompt_logprobs"])} if "prompt_logprobs" in made else {})}

    return of_prompt


def _prompt_of_base(original: Any, self: works.Sample, base: Any, unembedding: Any) -> Any:
    return original(self, base, base.unembedding)


MUTANTS = (
    Mutant(
        "sampled_logprobs_shifted", breaks="022", also=("023", "025"), what="the logprobs of sampled tokens are off by one",
        patch=after(sampling, "sample", _shifted), dialects=TINKER,
    ),
    Mutant(
        "sampler_of_base_model", breaks="022", also=("021", "024"), what="samples come from the base model",
        patch=around(sampling, "next_log_probabilities", _of_base), dialects=TINKER,
    ),
    Mutant(
        "temperature_squared", breaks="023", what="logits are divided by the square of the temperature",
        patch=around(sampling, "next_log_probabilities", _squared), dialects=TINKER,
    ),
    Mutant(
        "one_logprob_missing", breaks="024", also=("022", "023"), what="the last sampled token has no logprob",
        patch=after(sampling, "sample", _one_missing), dialects=TINKER,
    ),
    Mutant(
        "always_stop", breaks="024", what="stop_reason is always stop", patch=after(sampling, "sample", _always_stop),
        dialects=TINKER,
    ),
    Mutant(
        "always_length", breaks="024", what="stop_reason is always length",
        patch=after(sampling, "sample", _always_length), dialects=TINKER,
    ),
    Mutant(
        "one_token_more", breaks="024", also=("*",), what="one token more than max_tokens is sampled",
        patch=around(sampling, "sample", _one_more), dialects=TINKER,
    ),
    Mutant(
        "no_stop_is_default", breaks="024", what="an empty list of stops means the default",
        patch=around(tinker_works, "stops", _empty_is_default), dialects=TINKER,
    ),
    Mutant(
        "default_is_no_stop", breaks="024", what="without stops the end of a turn does not end a sample",
        patch=around(tinker_works, "stops", _default_is_empty), dialects=TINKER,
    ),
    Mutant(
        "stops_ignored", breaks="024", what="stops are ignored", patch=around(tinker_works, "stops", _stops_ignored),
        dialects=TINKER,
    ),
    Mutant(
        "first_stop_only", breaks="024", what="only the first of several stops ends a sample",
        patch=around(tinker_works, "stops", _first_stop_only), dialects=TINKER,
    ),
    Mutant(
        "one_seed_for_all", breaks="025", what="requests without a seed are sampled with the same one",
        patch=around(tinker_works, "sampling_options", _one_seed), dialects=TINKER,
    ),
    Mutant(
        "long_prompts_forgotten", breaks="022", what="what is sampled after 40 tokens does not depend on them",
        patch=around(sampling, "next_log_probabilities", _beyond_forty), dialects=TINKER,
    ),
    Mutant(
        "one_sample_only", breaks="025", also=("023",), what="num_samples is ignored",
        patch=around(tinker_works, "sample", _first_only), dialects=TINKER,
    ),
    Mutant(
        "samples_are_copies", breaks="025", also=("023",), what="all sequences of a request are the same",
        patch=around(sampling, "sample", _same_for_all), dialects=TINKER,
    ),
    Mutant(
        "sampling_seed_ignored", breaks="025", also=("021", "024"), what="the seed is ignored",
        patch=around(tinker_works, "sampling_options", _seedless), dialects=TINKER,
    ),
    Mutant(
        "prompt_logprobs_dropped", breaks="026", also=("021", "022"), what="prompt_logprobs is ignored in silence",
        patch=around(works.Sample, "of_prompt", _no_prompt_logprobs), dialects=TINKER,
    ),
    Mutant(
        "prompt_logprobs_short", breaks="026", also=("021", "022"), what="prompt_logprobs lacks the first, null entry",
        patch=around(works.Sample, "of_prompt", _changed(lambda row: row[1:])), dialects=TINKER,
    ),
    Mutant(
        "first_prompt_logprob_zero", breaks="026", what="the first entry of prompt_logprobs is 0",
        patch=around(works.Sample, "of_prompt", _changed(lambda row: [0.0, *row[1:]])), dialects=TINKER,
    ),
    Mutant(
        "topk_prompt_logprobs_dropped", breaks="026", what="topk_prompt_logprobs is ignored in silence",
        patch=around(works.Sample, "of_prompt", _no_top), dialects=TINKER,
    ),
    Mutant(
        "top_k_ignored", breaks="033", what="top_k has no effect", patch=around(sampling, "choose", _option_ignored(top_k=-1)),
        dialects=TINKER,
    ),
    Mutant(
        "top_p_ignored", breaks="033", what="top_p has no effect", patch=around(sampling, "choose", _option_ignored(top_p=1.0)),
        dialects=TINKER,
    ),
    Mutant(
        "prompt_logprobs_of_base", breaks="022", also=("021",), what="prompt_logprobs come from the base model",
        patch=around(works.Sample, "of_prompt", _prompt_of_base), dialects=TINKER,
    ),
)  # fmt: skip
