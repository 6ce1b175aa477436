"""The tokens of a generation, wherever a trainer puts them: in the members of the contract (`token_ids`, `prompt_token_ids`, `logprobs`), where
vLLM and gateways put them, or at `token_ids_at` of the card. Pure, and linear in the size of the response.

A list that is not in its member of the contract is read where only one list of that kind is in the response. Two different ones are not
chosen from: the card names the right one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mapping, mappings

SAMPLED = (
    "token_ids",
    "completion_token_ids",
    "output_token_ids",
    "response_token_ids",
    "generation_token_ids",
    "output_ids",
)
PROMPT = ("prompt_token_ids", "input_token_ids", "prompt_ids")
LOGPROBS = ("logprobs", "token_logprobs", "output_token_logprobs", "completion_logprobs", "generation_log_probs")
AT = r"^[\w-]+(\[\])?(\.[\w-]+(\[\])?)*$"  # a path in a response, as on the card of a chat server
DEEPEST = 8
ID_AS_TEXT = re.compile(r"token_id:(\d{1,9})")  # vLLM: return_tokens_as_token_ids


def with_tokens(body: JsonObject, at: str | None) -> Mapping[str, Any]:
    """A generation with its tokens in the members of the contract. What is already there is kept, and so is what cannot be read."""
    found: dict[str, object] = {}
    if at is not None or not isinstance(body.get("token_ids"), list):
        found["token_ids"] = value_at(body, at) if at is not None else _sampled(body)
    if not isinstance(body.get("prompt_token_ids"), list):
        found["prompt_token_ids"] = _only(body, PROMPT)
    if not isinstance(body.get("logprobs"), list):
        found["logprobs"] = _logprobs(body)
    return {**body, **{name: value for name, value in found.items() if value is not None}}


def places(body: object, names: Sequence[str]) -> list[str]:
    """The paths of the lists of token ids with one of these names, as a card names them."""
    return [path for path, _ in _lists(body, "", names, DEEPEST)]


KEPT = "If the trainer keeps the token ids to itself, write on the card: `token_ids: false`"


def hint(body: JsonObject, at: str | None) -> str:
    """What a message adds where no token ids could be read."""
    if at is not None:
        return f"; looked for at {at} (`token_ids_at` on the card)"
    there = places(body, SAMPLED)
    return (
        f"; there are {len(there)}: {', '.join(there[:4])}. Write the right one on the card: `token_ids_at`"
        if there
        else f". {KEPT}"
    )


def value_at(body: object, path: str) -> object:
    """The value at a path such as `choices[].message.token_ids`; `[]` is the first of a list. None where there is none."""
    value = body
    for part in path.split("."):
        value = mapping(value).get(part.removesuffix("[]"))
        if part.endswith("[]"):
            value = next(iter(listed(value)), None)
    return value


def _sampled(body: JsonObject) -> object:
    ids = _only(body, SAMPLED)
    return ids if ids is not None else _ids_as_text(body)


def _only(body: object, names: Sequence[str]) -> object:
    """The one list of ids with one of these names; None where there is none, or several that differ."""
    first, *others = [ids for _, ids in _lists(body, "", names, DEEPEST)] or [None]
    return first if all(other == first for other in others) else None


def _lists(value: object, path: str, names: Sequence[str], left: int) -> Iterator[tuple[str, object]]:
    if left == 0:
        return
    for name, inner in mapping(value).items():
        here = f"{path}.{name}" if path else str(name)
        if name in names and _all_are(inner, int):
            yield here, inner
        elif isinstance(inner, Mapping):
            yield from _lists(inner, here, names, left - 1)
        else:
            for one in islice(mappings(inner), 1):  # one choice for each generation
                yield from _lists(one, f"{here}[]", names, left - 1)


def _all_are(value: object, kind: type[int] | type[float]) -> bool:
    """Whether a value is a list of numbers; true and false are none."""
    kinds = (int, float) if kind is float else (int,)
    return isinstance(value, list) and all(type(one) in kinds for one in value)


def _content(body: JsonObject) -> list[JsonObject]:
    """The tokens of the first choice as OpenAI's `logprobs` has them."""
    choice = next(iter(mappings(body.get("choices"))), {})
    return mappings(mapping(choice.get("logprobs")).get("content"))


def _ids_as_text(body: JsonObject) -> object:
    found = [ID_AS_TEXT.fullmatch(token) for one in _content(body) if isinstance(token := one.get("token"), str)]
    ids = [int(one[1]) for one in found if one is not None]
    return ids if ids and len(ids) == len(_content(body)) else None


def _logprobs(body: JsonObject) -> object:
    content = [one.get("logprob") for one in _content(body)]
    if content and _all_are(content, float):
        return content
    choice = next(iter(mappings(body.get("choices"))), {})
    inside = (body, choice, mapping(choice.get("message")), mapping(choice.get("logprobs")))
    found = [one[name] for one in inside for name in LOGPROBS if _all_are(one.get(name), float)]
    return found[0] if found and all(one == found[0] for one in found) else None
