"""What holds of every response of every case: one logprob a target token, names of metrics that a client can merge, no internals, no keys."""

import math
import re
from collections.abc import Iterator

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mapping
from rollout_conformance.steps.http.keys import recognisable
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView
from rollout_conformance.steps.profiles.training.wire_tinker import IN_PROTOBUF
from rollout_conformance.steps.profiles.training.wires import TINKER

REQUIRED = {"loss_fn_output_type": str, "metrics": dict}
DTYPES = ("float32", "int64")
KINDS = {"save": "weights", "save_for_sampler": "sampler_weights"}
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
ABOVE_ZERO = 1e-4  # rounding of a logprob of a certain token


def aligned(view: TrainingView) -> Iterator[Evidence]:
    """One output a datum, one finite logprob of at most 0 a target token."""
    for response in view.judged:
        if response.rows and response.dialect != SIGNAL and response.outcome == "done" and _has_logprobs(response):
            wrong = _misaligned(response)
            expected = "one output a datum, in each one logprob of at most 0 for every target token"
            yield evidence("TRAINING-012", not wrong, expected, wrong, response.n)


def _has_logprobs(response: TrainingResponse) -> bool:
    """Whether every output has logprobs; `cause` accuses a result without them."""
    return bool(response.outputs) and all("logprobs" in one for one in response.outputs)


def _misaligned(response: TrainingResponse) -> str:
    rows, found = response.rows, response.logprobs
    if len(found) != len(rows):
        return f"{len(found)} outputs for {len(rows)} data"
    for n, (row, values) in enumerate(zip(rows, found, strict=True)):
        if len(row.targets) != len(values):
            return f"datum {n}: {len(values)} logprobs for {len(row.targets)} target tokens"
        odd = next((k for k, one in enumerate(values) if not math.isfinite(one) or one > ABOVE_ZERO), None)
        if odd is not None:
            return f"datum {n}, token {odd}: {values[odd]!r}"
    return ""


def complete(view: TrainingView) -> Iterator[Evidence]:
    """What the SDK requires of every result of forward and forward_backward beside the outputs."""
    for response in view.judged:
        if response.dialect == SIGNAL or not response.rows or response.outcome != "done" or not response.outputs:
            continue
        missing = [name for name, kind in REQUIRED.items() if not isinstance(response.result.get(name), kind)]
        expected = "a result with the text loss_fn_output_type and the object metrics"
        observed = f"no {' and no '.join(missing)}: {response.shown()}"
        yield evidence("TRAINING-201", not missing, expected, observed, response.n)
        unreadable = next(filter(None, map(_unreadable, response.outputs)), "")
        expected = "logprobs of a dtype that the SDK has, with as many values as their shape"
        yield evidence("TRAINING-201", not unreadable, expected, unreadable, response.n)


def _unreadable(output: JsonObject) -> str:
    """Why the SDK cannot read the logprobs of an output; nothing where it can, or where they are none."""
    tensor = mapping(output.get("logprobs"))
    dtype, shape = tensor.get("dtype"), tensor.get("shape")
    if not tensor or dtype not in DTYPES:
        return f"dtype {show(dtype)}" if tensor else ""
    sizes = [one for one in listed(shape) if isinstance(one, int)]
    values = len(listed(tensor.get("data")))
    wrong = shape is not None and (len(sizes) != len(listed(shape)) or math.prod(sizes) != values)
    return f"{values} values of the shape {show(shape)}" if wrong else ""


def paths(view: TrainingView) -> Iterator[Evidence]:
    """The path of a checkpoint is the one that the SDK makes up for it where a save that it repeats had succeeded."""
    for response in view.judged:
        kind, name, path = KINDS.get(response.verb), response.request.get("path"), response.result.get("path")
        if kind is None or response.dialect == SIGNAL or response.outcome != "done" or not isinstance(path, str):
            continue
        if not isinstance(name, str) or not PLAIN.fullmatch(name):
            continue
        wanted = f"tinker://{response.request.get('model_id')}/{kind}/{name}"
        yield evidence("TRAINING-052", path == wanted, f"the path {show(wanted)}", show(path), response.n)


def in_protobuf(view: TrainingView) -> Iterator[Evidence]:
    """Results that are polled for in protobuf come in it."""
    for response in view.judged:
        if (
            response.dialect == TINKER
            and response.verb in IN_PROTOBUF
            and response.request_id
            and response.outcome == "done"
        ):
            seen = response.header("content-type") or ""
            ok = seen.partition(";")[0].strip().lower() == CONTENT_TYPE
            yield evidence("TRAINING-043", ok, f"Content-Type: {CONTENT_TYPE}", show(seen), response.n)


def metric_names(view: TrainingView) -> Iterator[Evidence]:
    """`name:reduction`, with one colon: the SDK splits every name to merge the parts of a call."""
    for response in view.judged:
        if response.dialect == SIGNAL or not response.rows or response.outcome != "done" or not response.metrics:
            continue
        odd = next((name for name in response.metrics if str(name).count(":") != 1), None)
        yield evidence("TRAINING-031", odd is None, "names of metrics as name:reduction", show(odd), response.n)


def no_leaks(view: TrainingView) -> Iterator[Evidence]:
    """No error shows internals of the server, and no response a key."""
    keys = recognisable([view.context.target_key, *view.context.card.keys.values()])
    for response in view.judged:
        if keys:
            shown = any(key in response.text for key in keys)
            yield evidence("TRAINING-202", not shown, "no API key in a response", "an API key", response.n)
        if response.status is None or response.outcome == "done":
            continue
        request = view.trace.exchanges[(response.submit or response).n].request
        sent = request.path + request.body.decode("utf-8", "replace")
        found = internal_error_patterns.leaked(response.text, internal_error_patterns.GENERAL, sent)
        observed = internal_error_patterns.excerpt(response.text, found) if found else ""
        yield evidence("TRAINING-132", not found, "an error without internals of the server", observed, response.n)
