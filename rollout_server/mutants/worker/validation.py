"""Defects of what `POST /execute` accepts, and of how it rejects."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import Response

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.contracts.worker.wire_orcd import MOST_TOKENS, ExecuteRequest, Stop
from rollout_conformance.contracts.worker.wire_types import LARGEST_SEED, NotEmpty, Text, default
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every
from rollout_conformance.rollout_server.mutants.worker.patches import ORCD, execute_model
from rollout_conformance.rollout_server.worker import errors, orcd_events, orcd_requests
from rollout_conformance.rollout_server.worker.errors import JobError

LONG_PROMPT, SHORT_PROMPT = 32_769, 32_767
SEED_31 = 2**31 - 1
USUAL = 16


class NoJobId(ExecuteRequest):
    job_id: Text


class LongPrompt(ExecuteRequest):
    prompt: Annotated[NotEmpty, Field(max_length=LONG_PROMPT)]


class ShortPrompt(ExecuteRequest):
    prompt: Annotated[NotEmpty, Field(max_length=SHORT_PROMPT)]


class PromptInBytes(ExecuteRequest):
    @classmethod
    def model_validate(cls, obj: Any, **more: Any) -> "PromptInBytes":
        """A prompt is measured as UTF-8."""
        found = super().model_validate(obj, **more)
        ExecuteRequest.model_validate(found.model_dump() | {"prompt": found.prompt.encode().decode("latin-1")})
        return found


class AnyCount(ExecuteRequest):
    max_tokens: Annotated[Integer, Field(ge=1, le=2 * MOST_TOKENS), default(MOST_TOKENS)] = MOST_TOKENS


class ZeroTokens(ExecuteRequest):
    max_tokens: Annotated[Integer, Field(ge=0, le=MOST_TOKENS), default(MOST_TOKENS)] = MOST_TOKENS


class FewTokens(ExecuteRequest):
    max_tokens: Annotated[Integer, Field(ge=1, le=MOST_TOKENS - 1), default(USUAL)] = USUAL


class CountRequired(ExecuteRequest):
    max_tokens: Annotated[Integer, Field(ge=1, le=MOST_TOKENS)]


class CountOfSixteen(ExecuteRequest):
    max_tokens: Annotated[Integer, Field(ge=1, le=MOST_TOKENS), default(USUAL)] = USUAL


class AnyTemperature(ExecuteRequest):
    temperature: Annotated[Number, Field(ge=0), default(1.0)] = 1.0


class CoolTemperature(ExecuteRequest):
    temperature: Annotated[Number, Field(ge=0, le=1), default(1.0)] = 1.0


class AnyTopP(ExecuteRequest):
    top_p: Annotated[Number, Field(ge=0), default(1.0)] = 1.0


class PositiveTopP(ExecuteRequest):
    top_p: Annotated[Number, Field(gt=0, le=1), default(1.0)] = 1.0


class AnyPenalty(ExecuteRequest):
    repetition_penalty: Annotated[Number, Field(ge=0), default(1.0)] = 1.0


class AnyMinP(ExecuteRequest):
    min_p: Annotated[Number, Field(ge=0), default(0.0)] = 0.0


class SmallMinP(ExecuteRequest):
    min_p: Annotated[Number, Field(ge=0, le=0.5), default(0.0)] = 0.0


class LooseJobId(ExecuteRequest):
    job_id: Annotated[str, BeforeValidator(str), Field(min_length=1)]


class FiveStops(ExecuteRequest):
    stop: Annotated[list[Stop], Field(max_length=5), default([])] = Field(default_factory=list)


class EmptyStops(ExecuteRequest):
    stop: Annotated[list[Text], Field(max_length=4), default([])] = Field(default_factory=list)


class SmallSeeds(ExecuteRequest):
    seed: Annotated[Integer, Field(ge=0, le=SEED_31)] | None = None


class AnySeeds(ExecuteRequest):
    """The sampler takes no negative seed, so each is used without its sign."""

    seed: Annotated[Integer, Field(ge=-LARGEST_SEED, le=2 * LARGEST_SEED), AfterValidator(abs)] | None = None


def _echoing(original: Any, field: str, constraint: str, message: str) -> Any:
    return original(field, constraint, message) | {"value": ECHO.get(field, "")}


ECHO: dict[str, str] = {}


def _remembering(original: Any, body: Any) -> Any:
    ECHO.update(
        {name: value for name, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    )
    return original(body)


def _plain(original: Any, error: JobError, more: Any = None) -> Response:
    return Response(error.message, error.status, {**error.headers(), **(more or {})}, "text/plain")


def _in_stream(original: Any, error: JobError, more: Any = None) -> Response:
    """A stream that begins, and then reports what is wrong with the request."""
    if error.status != 400:
        return original(error, more)  # type: ignore[no-any-return]
    event = {"type": "error", "code": error.code, "message": error.message, "retriable": False}
    return Response(orcd_events.event(event), media_type="text/event-stream")


def _unprocessable(original: Any, error: JobError, more: Any = None) -> Response:
    if error.status != 400:
        return original(error, more)  # type: ignore[no-any-return]
    return json_response(error.body(), 500)


def _strange(original: Any, body: Any) -> Any:
    """An unknown member is an internal error."""
    if isinstance(body, dict) and body.keys() - {*ExecuteRequest.model_fields}:
        raise RuntimeError
    return original(body)


def _no_violations(original: Any, problems: Any) -> JobError:
    return original([])  # type: ignore[no-any-return]


def mutant(name: str, breaks: str, what: str, patch: Any, *also: str) -> Mutant:
    return Mutant(name, breaks=breaks, also=also, what=what, patch=patch, dialects=ORCD)


MUTANTS = (
    mutant("job_id_empty", "020", "an empty job_id is accepted", execute_model(NoJobId)),
    mutant("prompt_too_long", "021", "a prompt of 32,769 characters is accepted", execute_model(LongPrompt)),
    mutant("prompt_limit_low", "021", "a prompt of 32,768 characters is rejected", execute_model(ShortPrompt)),
    mutant("prompt_in_bytes", "021", "the length of a prompt is counted in bytes", execute_model(PromptInBytes)),
    mutant("tokens_unbounded", "022", "max_tokens 2049 is accepted", execute_model(AnyCount)),
    mutant("tokens_zero", "022", "max_tokens 0 is accepted", execute_model(ZeroTokens), "115"),
    mutant("tokens_limit_low", "022", "max_tokens 2048 is rejected", execute_model(FewTokens), "023"),
    mutant("tokens_required", "023", "max_tokens is required", execute_model(CountRequired), "302"),
    mutant("tokens_sixteen", "023", "max_tokens is 16 by default", execute_model(CountOfSixteen)),
    mutant("temperature_unbounded", "024", "temperature 2.01 is accepted", execute_model(AnyTemperature)),
    mutant("temperature_limit_low", "024", "temperature 2.0 is rejected", execute_model(CoolTemperature)),
    mutant("top_p_unbounded", "025", "top_p 1.01 is accepted", execute_model(AnyTopP)),
    mutant("top_p_zero", "025", "top_p 0 is rejected", execute_model(PositiveTopP)),
    mutant("penalty_unbounded", "026", "repetition_penalty 2.01 is accepted", execute_model(AnyPenalty)),
    mutant("min_p_unbounded", "027", "min_p 1.01 is accepted", execute_model(AnyMinP)),
    mutant("five_stops", "028", "five stop texts are accepted", execute_model(FiveStops)),
    mutant(
        "stop_empty",
        "028",
        "an empty stop text is accepted",
        execute_model(EmptyStops),
        "013",
    ),
    mutant("seed_small", "030", "a seed of 2^31 is rejected", execute_model(SmallSeeds)),
    mutant("seed_any", "030", "a seed of 2^64 is accepted, and a negative one", execute_model(AnySeeds)),
    mutant(
        "one_violation", "031", "only the first violation is reported", after(errors, "problems", lambda all: all[:1])
    ),
    mutant(
        "constraint_missing",
        "032",
        "an entry of errors has no constraint",
        after(errors, "problem", lambda entry: {name: entry[name] for name in ("field", "message")}),
    ),
    mutant("violations_missing", "031", "no violation is reported", around(errors, "invalid", _no_violations), "020"),
    mutant(
        "prompt_echoed",
        "032",
        "an entry of errors repeats the value",
        every(around(orcd_requests, "parsed", _remembering), around(errors, "problem", _echoing)),
    ),
    mutant("errors_plain", "033", "a rejection is plain text", around(errors, "response", _plain), "020"),
    mutant(
        "rejected_in_stream",
        "034",
        "a bad request is rejected within a stream",
        around(errors, "response", _in_stream),
        "056",
    ),
    mutant(
        "rejected_by_500",
        "033",
        "a bad request is answered with 500",
        around(errors, "response", _unprocessable),
        "303",
    ),
    mutant(
        "unknown_member", "035", "an unknown member is an internal error", around(orcd_requests, "parsed", _strange)
    ),
)
