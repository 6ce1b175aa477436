"""The start request of one rollout: what the trainer sends, and what it will be recognised by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pydantic import BaseModel

from rollout_conformance.contracts.rollout.wire import InitRequest, RolloutRequest
from rollout_conformance.contracts.rollout.wire_leased import LeasedRequest
from rollout_conformance.contracts.rollout.wire_routed import RoutedRequest
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.suggestions import unknown_name

START_PATH = {"sync": "/rollout", "callback": "/v1/rollout/init", "routed": "/rollout", "leased": "/rollout"}
SAMPLING_NAME = {"sync": "sampling_params", "callback": "completion_params", "routed": "", "leased": ""}
STREAMED = ("routed", "leased")  # the dialects whose servers may request streams
KEY_NAME = {"sync": "callback_api_key", "callback": "api_key", "routed": "llm_api_key", "leased": "llm_api_key"}

SHORT = ("sampling", "only_sampling", "key", "messages")  # what each dialect has under a name of its own
BODIES: Mapping[str, type[BaseModel]] = {
    "sync": RolloutRequest,
    "callback": InitRequest,
    "routed": RoutedRequest,
    "leased": LeasedRequest,
}
MEMBERS = tuple(dict.fromkeys(name for model in BODIES.values() for name in (*SHORT, *model.model_fields)))

PADDING = "x_padding"
QUESTION = "Please calculate 5 plus 3."
SAMPLING: Mapping[str, Any] = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 512, "logprobs": True}


def known_members(names: Iterable[str]) -> None:
    """Raises `ValueError` for a name that no dialect has: a slip would be sent, and nothing would be tested."""
    for name in names:
        if name not in MEMBERS:
            hint = unknown_name("member of the start request", name, MEMBERS)
            raise ValueError(f"{hint} Where the server is not meant to know it, write `unknown: {{{name}: ...}}`")


def has_member(dialect: str, name: str) -> bool:
    """Whether a start request of this dialect has such a member. What no dialect has is a member wherever it is sent."""
    if name in SHORT:
        return bool(SAMPLING_NAME[dialect]) or not name.endswith("sampling")
    return name not in MEMBERS or name in BODIES[dialect].model_fields


@dataclass(frozen=True, slots=True)
class StartOverrides:
    """How the start request of a case differs from the ordinary one.

    `body` is merged over it: `sampling` and `key` stand for whatever the dialect calls them, `messages` replaces the
    conversation. `without` removes keys. `rollout_id` may give a shape around a unique id: `before`, `after`, `length`.
    `padding_bytes` adds an unknown member.
    `path` is appended to the trainer's address. `raw` replaces the whole body by these bytes. `budget`
    (n, k) sets max_tokens_total to what the first n replies sample, plus k.
    An `idempotency_key` may be {unique: name} (one a case) or {id_of: label} (another rollout's id).
    """

    body: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    rollout_id: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    raw: bytes | None = None
    metadata_bytes: int | None = None
    padding_bytes: int = 0
    tokenizer: str | None = None
    scheme: str = ""
    budget: tuple[int, int] | None = None

    def and_also(self, more: "StartOverrides") -> "StartOverrides":
        """Both in one; where they differ, the later one counts."""
        set_later = {
            f.name: getattr(more, f.name)
            for f in fields(more)
            if getattr(more, f.name) != getattr(StartOverrides(), f.name)
        }
        merged = {"body": {**self.body, **more.body}, "without": (*self.without, *more.without)}
        return replace(self, **{**set_later, **merged})


@dataclass(frozen=True, slots=True)
class StartRequest:
    """One rollout as the suite started it. `key` is the trainer's key (None: none was given), `nonce` occurs in its text."""

    label: str
    dialect: str
    rollout_id: str
    key: str | None
    nonce: str
    base_url: str
    body: Mapping[str, Any]
    sampling: Mapping[str, Any]
    overrides: StartOverrides = field(default_factory=StartOverrides)

    @property
    def report_key(self) -> str | None:
        """The key that the reports of the end carry."""
        key = self.body.get("controller_api_key") if self.dialect == "routed" else self.key
        return key if isinstance(key, str) else None

    @property
    def messages(self) -> list[JSON]:
        messages = self.body.get("initial_messages" if self.dialect in STREAMED else "messages")
        return messages if isinstance(messages, list) else []

    @property
    def path(self) -> str:
        """The path under which the trainer's endpoints must be called, without a trailing slash."""
        path = self.base_url.partition("://")[2].partition("/")[2].strip("/")
        return f"/{path}" if path else ""


def compose(
    dialect: str, label: str, nonce: str, trainer_url: str, tokenizer: str, overrides: StartOverrides
) -> StartRequest:
    """The start request of a dialect, with the overrides of a case."""
    if dialect in STREAMED:
        return _by_url(dialect, label, nonce, trainer_url, overrides)
    key = f"tk-{nonce}-{label or 'it'}"
    base_url = (
        overrides.scheme + trainer_url.removeprefix("http") + overrides.path
        if overrides.scheme
        else trainer_url + overrides.path
    )
    body: dict[str, Any] = {
        "rollout_id": _shaped(nonce, overrides.rollout_id),
        "server_url": base_url,
        "messages": _conversation(nonce),
        SAMPLING_NAME[dialect]: dict(SAMPLING),
        "max_turns": 10,
        "max_tokens_total": 8192,
        KEY_NAME[dialect]: key,
    }
    if dialect == "sync":
        body["tokenizer_name"] = tokenizer
    if overrides.metadata_bytes is not None:
        body["metadata"] = _metadata(overrides.metadata_bytes)
    if overrides.padding_bytes:
        body[PADDING] = "p" * overrides.padding_bytes
    for name, value in overrides.body.items():
        _merge(body, dialect, name, value)
    for name in overrides.without:
        body.pop({"sampling": SAMPLING_NAME[dialect], "key": KEY_NAME[dialect]}.get(name, name), None)
    rollout_id, sampling = body.get("rollout_id"), body.get(SAMPLING_NAME[dialect])
    return StartRequest(
        label=label,
        dialect=dialect,
        rollout_id=rollout_id if isinstance(rollout_id, str) else "",
        key=body.get(KEY_NAME[dialect]),
        nonce=nonce,
        base_url=base_url,
        body=body,
        sampling=sampling if isinstance(sampling, dict) else {},
        overrides=overrides,
    )


def _by_url(dialect: str, label: str, nonce: str, trainer_url: str, overrides: StartOverrides) -> StartRequest:
    """Each URL has the nonce in it, by which its rollout is found."""
    base_url = f"{trainer_url}{overrides.path}/of/{nonce}"
    body: dict[str, Any] = {
        "rollout_id": _shaped(nonce, overrides.rollout_id),
        "initial_messages": _conversation(nonce),
        "chat_completions_url": f"{base_url}/v1",
        "llm_api_key": f"tk-{nonce}-{label or 'it'}",
        "label": "8",
    }
    if dialect == "leased":
        body["grade"] = True
    else:
        body |= {
            "completion_callback_url": f"{base_url}/v1/rollout/completed",
            "grader_callback_url": f"{base_url}/v1/rollout/graded",
            "controller_api_key": f"ck-{nonce}-{label or 'it'}",
        }
    if overrides.metadata_bytes is not None:
        body["metadata"] = _metadata(overrides.metadata_bytes)
    if overrides.padding_bytes:
        body[PADDING] = "p" * overrides.padding_bytes
    for name, value in overrides.body.items():
        body[{"key": "llm_api_key", "messages": "initial_messages"}.get(name, name)] = value
    for name in overrides.without:
        body.pop({"key": "llm_api_key", "messages": "initial_messages"}.get(name, name), None)
    # Without a key of its own the generation requests have the controller's (ROLLOUT-210).
    key = body.get("llm_api_key") if body.get("llm_api_key") is not None else body.get("controller_api_key")
    rollout_id = body.get("rollout_id")
    return StartRequest(
        label=label,
        dialect=dialect,
        rollout_id=rollout_id if isinstance(rollout_id, str) else "",
        key=key,
        nonce=nonce,
        base_url=base_url,
        body=body,
        sampling={},
        overrides=overrides,
    )


def _merge(body: dict[str, Any], dialect: str, name: str, value: object) -> None:
    if name == "sampling" and isinstance(value, Mapping):
        body[SAMPLING_NAME[dialect]] = {**body[SAMPLING_NAME[dialect]], **value}
    elif name == "only_sampling":
        body[SAMPLING_NAME[dialect]] = value
    else:
        body[{"key": KEY_NAME[dialect], "sampling": SAMPLING_NAME[dialect]}.get(name, name)] = value


def _conversation(nonce: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": f"You are a helpful calculator assistant. Session {nonce}."},
        {"role": "user", "content": QUESTION},
    ]


def _shaped(nonce: str, shape: Mapping[str, Any]) -> str:
    text = f"{shape.get('before', '')}{nonce}{shape.get('after', '')}"
    return text + "i" * (int(shape.get("length", 0)) - len(text))


def _metadata(size: int) -> dict[str, str]:
    """Metadata whose compact JSON has exactly `size` bytes."""
    return {"note": "m" * (size - len('{"note":""}'))}
