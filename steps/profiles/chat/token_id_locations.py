"""Where in a response token ids are that are not where vLLM puts them: gateways move members that they do not know. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

NAMES = ("token_ids", "completion_token_ids", "output_token_ids", "output_ids", "prompt_token_ids")
DEEPEST = 8
USUAL = "choices[].token_ids"
NAMED = "token_ids_at"  # the member of the card
PROMPT = "prompt_token_ids"


def place_of_ids(body: object) -> str | None:
    """The path of the first list of token ids, such as `choices[0].provider_specific_fields.token_ids`."""
    return next(_places(body, "", DEEPEST), None)


def card_form(place: str) -> str:
    """A place in a response as a card names it, for every choice."""
    return re.sub(r"\[\d+\]", "[]", place)


def looked_at(at: str | None) -> str:
    """The places where token ids are looked for, as a message names them."""
    return f"{USUAL} and {at} (`{NAMED}` on the card)" if at else f"{USUAL}, as vLLM returns them"


def with_ids_at(body: object, at: str | None) -> Any:
    """A completion, or one chunk of a stream, with its token ids where vLLM puts them. `at` is the path where they are, such as
    `choices[].provider_specific_fields.token_ids`; in a chunk `delta` is read for `message`. Those of the prompt are beside them, or
    in the member of the same name of the whole response. A body that has ids at the usual place is left as it is."""
    if not at or not isinstance(body, dict):
        return body
    *parents, name = re.sub(r"\[\d*\]", "", at).split(".")
    inside = parents[1:] if parents[:1] == ["choices"] else None
    choices = body.get("choices")
    changed = dict(body)
    if inside is not None and isinstance(choices, list):
        changed["choices"] = [_with_ids(choice, inside, name) for choice in choices]
    elif isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], dict):  # ids of the only choice
        ids = _inside(body, parents).get(name)
        changed["choices"] = [{"token_ids": ids, **choices[0]}] if isinstance(ids, list) else choices
    prompt = next((ids for ids in _of_prompt(body, inside, parents) if isinstance(ids, list)), None)
    if prompt is not None and changed.get(PROMPT) is None:
        changed[PROMPT] = prompt
    return changed


def _with_ids(choice: object, parents: Sequence[str], name: str) -> object:
    if not isinstance(choice, dict) or choice.get("token_ids") is not None:
        return choice
    ids = _inside(choice, parents).get(name)
    return {**choice, "token_ids": ids} if isinstance(ids, list) else choice


def _of_prompt(body: dict[str, object], inside: Sequence[str] | None, parents: Sequence[str]) -> Iterator[object]:
    """The ids of the prompt, in the places where they may be."""
    if inside is None:
        yield _inside(body, parents).get(PROMPT)
        return
    yield _inside(body, inside).get(PROMPT)
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        yield _inside(choice, inside).get(PROMPT)


def _inside(value: object, parents: Sequence[str]) -> dict[str, object]:
    """The object at a path, {} where there is none."""
    for name in parents:
        found = value.get(name) if isinstance(value, dict) else None
        value = value.get("delta") if found is None and name == "message" and isinstance(value, dict) else found
    return value if isinstance(value, dict) else {}


def _places(value: object, path: str, left: int) -> Iterator[str]:
    if left == 0:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else str(name)
            if name in NAMES and _is_ids(inner):
                yield here
            yield from _places(inner, here, left - 1)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _places(inner, f"{path}[{n}]", left - 1)


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)
