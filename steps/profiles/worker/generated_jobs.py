"""What a generated request is made of before it is sent, in each dialect: what is right in it is brought into a range that every worker takes,
with few tokens; what is wrong stays wrong, and becomes wrong beyond doubt where a lenient reader could take it (the text "5" for 5)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from rollout_conformance.steps.profiles.worker.job_spec import JobSpec

MOST_TOKENS = 4
LONGEST_STOP = 25  # characters, of up to four bytes
IDS = 100  # token ids are below it: a number that every vocabulary has
PROMPT = "Hello!"
WRONG: tuple[object, ...] = ({},)  # neither a text, a number, a boolean nor a list of what is wanted
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """`documented` is the least value that the contract allows, None where it states none; a smaller one stays wrong."""

    documented: float | None
    low: float
    high: float

    def brought(self, value: object, *, whole: bool) -> object:
        """A value that is sent in place of this one."""
        if isinstance(value, bool | str):
            return [*WRONG]
        if not isinstance(value, int | float) or (whole and value != int(value)):
            return value
        if self.documented is not None and value < self.documented:
            return value
        found = min(max(value, self.low), self.high)
        return int(found) if whole else found


@dataclass(frozen=True, slots=True)
class GeneratedJob:
    """`params` names the object that holds the sampling parameters, empty where the body does; `limit` the most tokens; `id` the id of the job;
    `prompt` brings the prompt into form; `most` are upper bounds that the contract states, beyond which a value stays wrong."""

    limit: str
    integers: Mapping[str, Range]
    numbers: Mapping[str, Range]
    prompt: Callable[[Body], None]
    flags: tuple[str, ...] = ()
    params: str = ""
    id: str = ""
    most: Mapping[str, float] = field(default_factory=dict)
    most_stops: int = 4

    def adapted(self, body: Mapping[str, Any]) -> Body:
        """The request that is sent in place of `body`."""
        mine = _without_nulls(body)
        self.prompt(mine)
        if self.id and isinstance(mine.get(self.id), str):
            mine[self.id] = f"{mine[self.id][:40]}-{uuid4().hex[:12]}"
        params = mine.setdefault(self.params, {}) if self.params else mine
        if isinstance(params, dict):
            params = _without_nulls(params)
            self._bring(params)
            mine = {**mine, self.params: params} if self.params else params
        for name in self.flags:
            if isinstance(mine.get(name), int | float | str) and not isinstance(mine[name], bool):
                mine[name] = [*WRONG]
        if mine.get("stream") is not True:
            mine.pop("stream_options", None)
        return mine

    def _bring(self, params: Body) -> None:
        params.setdefault(self.limit, MOST_TOKENS)
        for ranges, whole in ((self.integers, True), (self.numbers, False)):
            for name in (name for name in ranges if name in params):
                if not _beyond(params[name], self.most.get(name)):
                    params[name] = ranges[name].brought(params[name], whole=whole)
        for name in self.flags:
            if isinstance(params.get(name), int | float | str) and not isinstance(params[name], bool):
                params[name] = [*WRONG]
        if "stop" in params:
            params["stop"] = _stops(params["stop"], self.most_stops)

    def spec(self, body: Mapping[str, Any], *, streams: bool) -> JobSpec:
        """The request as the checks read it."""
        params = body.get(self.params) if self.params else body
        given: Mapping[str, Any] = params if isinstance(params, Mapping) else {}
        limit, stop, heat = given.get(self.limit), given.get("stop"), given.get("temperature", 1.0)
        texts = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
        return JobSpec(
            str(body.get(self.id)),
            "",
            max_tokens=limit if type(limit) is int else None,
            temperature=heat if isinstance(heat, int | float) else None,
            stop=tuple(one for one in texts if isinstance(one, str)),
            ignores_eos=given.get("ignore_eos") is True,
            stream=streams,
        )


def _without_nulls(body: Mapping[str, Any]) -> Body:
    """Null for an optional member is its default, or rejected: either is right. Of what is required it is wrong, and stays."""
    return {
        name: value for name, value in body.items() if value is not None or name in ("token_ids", "inputs", "prompt")
    }


def _beyond(value: object, most: float | None) -> bool:
    return most is not None and isinstance(value, int | float) and not isinstance(value, bool) and value > most


def _stops(stop: object, most: int) -> object:
    """Stop texts that are not empty, and short. Whether an empty one is rejected is not documented."""
    if isinstance(stop, str):
        return stop[:LONGEST_STOP] or PROMPT
    if not isinstance(stop, list) or len(stop) > most:
        return stop
    return [one[:LONGEST_STOP] if isinstance(one, str) else [*WRONG] for one in stop if one != ""]


def _ids(given: object) -> object:
    """Token ids of any vocabulary; what is none is wrong beyond doubt."""
    if not isinstance(given, list):
        return given
    return [int(one) % IDS if _is_whole(one) else one if isinstance(one, dict) else {} for one in given]


def _is_whole(value: object) -> bool:
    return type(value) is int or (isinstance(value, float) and math.isfinite(value) and value == int(value))


def _vllm(body: Body) -> None:
    if "token_ids" in body:
        body["token_ids"] = _ids(body["token_ids"])


def _sglang(body: Body) -> None:
    """One of both prompts, and none that is empty."""
    if body.get("text") == "":
        body["text"] = PROMPT
    if "input_ids" in body:
        body["input_ids"] = _ids(body["input_ids"]) or [1]
    if isinstance(body.get("text"), str) and "input_ids" in body:
        del body["input_ids"]


def _tgi(body: Body) -> None:
    """An empty text is documented to be rejected."""


def _llamacpp(body: Body) -> None:
    """Texts and ids that are none are rejected; a prompt without anything in it is not documented."""
    prompt = body.get("prompt")
    if prompt in ("", []):
        body["prompt"] = PROMPT
    elif isinstance(prompt, list):
        parts = [
            int(one) % IDS if _is_whole(one) else (one or PROMPT) if isinstance(one, str) else {} for one in prompt
        ]
        body["prompt"] = parts


ANY_SEED = Range(None, 0, 2**31 - 1)
HEAT, PENALTY, SHARE = Range(0, 0.0, 2.0), Range(5e-324, 0.5, 2.0), Range(5e-324, 0.1, 0.95)
SOME = Range(0, 0.0, 0.5)
GENERATED: Mapping[str, GeneratedJob] = {
    "vllm-generate": GeneratedJob(
        "max_tokens",
        {
            "max_tokens": Range(1, 1, MOST_TOKENS),
            "top_k": Range(None, 1, IDS),
            "seed": ANY_SEED,
            "logprobs": Range(None, 0, 5),
        },
        {"temperature": HEAT, "top_p": SHARE, "min_p": SOME, "repetition_penalty": PENALTY},
        _vllm,
        flags=("stream", "ignore_eos"),
        params="sampling_params",
        id="request_id",
        most={"top_p": 1, "min_p": 1},
    ),
    "sglang": GeneratedJob(
        "max_new_tokens",
        {"max_new_tokens": Range(0, 1, MOST_TOKENS), "top_k": Range(None, 1, IDS), "sampling_seed": ANY_SEED},
        {"temperature": HEAT, "top_p": SHARE, "min_p": SOME, "repetition_penalty": Range(0, 0.5, 2.0)},
        _sglang,
        flags=("stream", "return_logprob", "ignore_eos"),
        params="sampling_params",
        id="rid",
        most={"top_p": 1, "min_p": 1, "repetition_penalty": 2},
    ),
    "tgi": GeneratedJob(
        "max_new_tokens",
        {
            "max_new_tokens": Range(0, 1, MOST_TOKENS),
            "top_k": Range(1, 1, IDS),
            "seed": Range(0, 1, 2**31 - 1),
        },
        {"temperature": Range(5e-324, 0.1, 2.0), "top_p": SHARE, "repetition_penalty": PENALTY},
        _tgi,
        flags=("do_sample", "details"),
        params="parameters",
        most={"top_p": 1},
    ),
    "llamacpp": GeneratedJob(
        "n_predict",
        {
            "n_predict": Range(None, 1, MOST_TOKENS),
            "top_k": Range(None, 1, IDS),
            "seed": ANY_SEED,
            "n_probs": Range(None, 0, 5),
        },
        {
            "temperature": Range(None, 0.0, 2.0),
            "top_p": Range(None, 0.1, 1.0),
            "min_p": Range(None, 0.0, 0.5),
            "repeat_penalty": Range(None, 0.5, 2.0),
        },
        _llamacpp,
        flags=("ignore_eos", "return_tokens", "cache_prompt", "stream"),
    ),
}
