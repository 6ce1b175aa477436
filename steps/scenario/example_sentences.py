"""A sentence of a verb with an example in the place of each placeholder: that of the verb's own examples, else that of the type."""

import functools
import json
import re
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.phrase_types import PhraseType
from rollout_conformance.steps.engine.verb_parsing import members
from rollout_conformance.steps.engine.verbs import Phrase, Verb


def sentence(verb: Verb, phrase: Phrase) -> str:
    """As it is shown to readers."""
    types = _types(verb, phrase)
    return filled(phrase, {name: _fitting(verb, name, one) or one.example for name, one in types.items()})


def plain_sentence(verb: Verb, phrase: Phrase) -> str:
    """With the examples of the types alone."""
    return filled(phrase, {name: one.example for name, one in _types(verb, phrase).items()})


def filled(phrase: Phrase, texts: Mapping[str, str]) -> str:
    """The sentence with these texts; letters that may be left out are written."""
    whole = re.sub(r"\((\w+)\)", r"\1", phrase.template)
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: texts[found[1]], whole)


def _types(verb: Verb, phrase: Phrase) -> Mapping[str, PhraseType]:
    return {name: verb.type_of(name, named) for name, named in phrase.placeholders()}


def _fitting(verb: Verb, name: str, kind: PhraseType) -> str | None:
    """The first value of this member among the verb's examples that can stand in a sentence."""
    for example in _examples(verb.examples, verb.short):
        for text in _texts(example[name]) if name in example else ():
            if re.fullmatch(kind.pattern, text):
                return text
    return None


@functools.cache
def _examples(written: tuple[str, ...], short: str) -> tuple[Mapping[str, object], ...]:
    """The examples of a verb as members."""
    documents = (yaml_source.parse(f"- {example}", "example").value for example in written)
    return tuple(members(one, short) for (one,) in documents)


def _texts(value: object) -> Iterator[str]:
    """How a value may be written in a sentence."""
    if isinstance(value, str):
        yield from (f'"{value}"', value)
    elif isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        words = [str(one) for one in value]
        yield f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
    yield json.dumps(value, ensure_ascii=False)
