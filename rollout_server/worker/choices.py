"""Grammars of a finite number of outputs: which token may follow. What permits more than a list of texts is rejected, not ignored."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

RULE = re.compile(r'\s*root\s*::=\s*("[^"\\]*"(?:\s*\|\s*"[^"\\]*")*)\s*')
LITERALS = re.compile(r"\(?[\w ]+(?:\|[\w ]+)*\)?")


def of_grammar(rule: str) -> tuple[str, ...]:
    """Of GBNF: `root ::= "yes" | "no"`. Raises `JobError` for another grammar."""
    found = RULE.fullmatch(rule)
    if found is None:
        raise _refused('This server has only grammars of the form root ::= "a" | "b"')
    return tuple(re.findall(r'"([^"]*)"', found[1]))


def of_regex(pattern: str) -> tuple[str, ...]:
    """Of `(yes|no)`. Raises `JobError` for another expression."""
    if LITERALS.fullmatch(pattern) is None:
        raise _refused("This server has only expressions of the form (a|b)")
    return tuple(pattern.strip("()").split("|"))


def of_schema(schema: object) -> tuple[str, ...]:
    """Of `{"enum": [...]}`. Raises `JobError` for another schema, and for none."""
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    if not isinstance(values, list) or not values:
        raise _refused("This server has only JSON schemas with an enum")
    return tuple(json.dumps(one) for one in values)


def of_schema_text(text: str) -> tuple[str, ...]:
    """The same, of JSON. Raises `JobError`."""
    try:
        return of_schema(json.loads(text))
    except ValueError:
        raise _refused("json_schema: is no JSON") from None


def permitted(choices: Sequence[str], begun: bytes, vocabulary: Vocabulary) -> Iterable[int]:
    """The tokens that may follow what has begun: those that continue a choice, and the end of the text after a whole one."""
    rests = [one.encode()[len(begun) :] for one in choices if one.encode().startswith(begun)]
    if b"" in rests:
        yield vocabulary.eos
    for id, piece in enumerate(vocabulary.pieces):
        if piece and any(rest.startswith(piece) for rest in rests):
            yield id


def _refused(message: str) -> JobError:
    return JobError(400, "INVALID_REQUEST", message)
