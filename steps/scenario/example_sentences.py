"""A sentence of a verb with an example in the place of each placeholder: that of the verb's own examples, else that of the type."""

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence

import yaml

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.phrase_types import ORDINALS, PhraseType
from rollout_conformance.steps.engine.verb_parsing import members
from rollout_conformance.steps.engine.verbs import Phrase, Verb

NAMES = {"name": "mine", "id": '"my-id"', "rollout_id": '"my-id"'}  # of what an author names, where no example fits
REFERENCES = ("response", "responses")
ALTERNATIVES = ("statuses",)  # types of which one value of several has to be met


def sentence(verb: Verb, phrase: Phrase) -> str:
    """As it is shown to readers."""
    types = _types(verb, phrase)
    texts = {name: _shown(verb, phrase, name, one) for name, one in types.items()}
    return filled(phrase, _told_apart(texts, types))


def _shown(verb: Verb, phrase: Phrase, name: str, kind: PhraseType) -> str:
    """What stands in one place: what the sentence has for it, else an example of the verb, of its name, of its type."""
    named = NAMES.get(name, "")
    fallback = named if re.fullmatch(kind.pattern, named) else kind.example
    return phrase.example.get(name) or _fitting(verb, phrase, name, kind) or fallback


def _told_apart(texts: Mapping[str, str], types: Mapping[str, PhraseType]) -> Mapping[str, str]:
    """The same, where several places would mean one response, with the first, the second and so on."""
    same = [name for name, one in types.items() if one.name in REFERENCES and texts[name] == one.example]
    if len(same) < 2:
        return texts
    return {**texts, **{name: f"the {which} response" for name, which in zip(same, ORDINALS, strict=False)}}


def plain_sentence(verb: Verb, phrase: Phrase) -> str:
    """With the examples of the types alone."""
    return filled(phrase, {name: one.example for name, one in _types(verb, phrase).items()})


def below(verb: Verb, phrase: Phrase) -> str:
    """An example of what stands below the sentence, from those of the verb: a text block, or the rows of a table. Empty where nothing does."""
    member = phrase.block or phrase.table
    if member in phrase.example:
        return phrase.example[member]
    values = (one[member] for one in _examples(verb.examples, verb.short) if member in one)
    value = next(values, None) if member else None
    if value is None:
        return ""
    if phrase.table and isinstance(value, list):
        return "\n".join(f"| {' | '.join(map(str, row))} |" for row in value)
    return value if isinstance(value, str) else _as_block(value)


def _as_block(value: object) -> str:
    """As YAML, the members each on a line of its own."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_flow(inner)}" for name, inner in value.items())
    return "\n".join(f"- {_flow(one)}" for one in value) if isinstance(value, list) else _flow(value)


def _flow(value: object) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def filled(phrase: Phrase, texts: Mapping[str, str]) -> str:
    """The sentence with these texts; letters that may be left out are written, but no plural of one."""
    parts = re.split(r"(\{\w+(?::\w+)?\})", phrase.template)
    values = [texts[part.strip("{}").partition(":")[0]] for part in parts[1::2]]
    plain = [_counted(part, values[max(0, n - 1) : n + 1]) for n, part in enumerate(parts[::2])]
    plain = [re.sub(r"\((\w+)\)", r"\1", part) for part in plain]
    return "".join(part for pair in itertools.zip_longest(plain, values, fillvalue="") for part in pair)


def _counted(text: str, beside: Sequence[str]) -> str:
    """Without the letter of a plural where the values beside the text are each one thing."""
    several = any(re.search(r",| and | or ", one) or (one.isdigit() and one != "1") for one in beside)
    return text if several else text.replace("(s)", "")


def _types(verb: Verb, phrase: Phrase) -> Mapping[str, PhraseType]:
    return {name: verb.type_of(name, named) for name, named in phrase.placeholders()}


def _fitting(verb: Verb, phrase: Phrase, name: str, kind: PhraseType) -> str | None:
    """The first value of this member that can stand in a sentence, among the verb's examples: those with most of its members first.

    A response is named only where the sentence tells two apart.
    """
    types = _types(verb, phrase)
    named = sum(one.name in REFERENCES for one in types.values()) > 1
    places = [member for member, one in types.items() if one.name not in REFERENCES]
    examples = _examples(verb.examples, verb.short)
    for example in sorted(examples, key=lambda one: -sum(member in one for member in places)):
        for text in _texts(example[name], kind, named) if name in example else ():
            if re.fullmatch(kind.pattern, text):
                return text
    return None


@functools.cache
def _examples(written: tuple[str, ...], short: str) -> tuple[Mapping[str, object], ...]:
    """The examples of a verb as members."""
    documents = (yaml_source.parse(f"- {example}", "example").value for example in written)
    return tuple(members(one, short) for (one,) in documents)


def _texts(value: object, kind: PhraseType, named: bool) -> Iterator[str]:
    """How a value may be written in a sentence of this kind."""
    if named and kind.name in REFERENCES and value in ORDINALS:
        yield f"the {value} response"
    if isinstance(value, str):
        yield from (f'"{value}"', value)
    elif isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        words = [str(one) for one in value]
        last = " or " if kind.name in ALTERNATIVES else " and "
        yield f"{', '.join(words[:-1])}{last}{words[-1]}" if len(words) > 1 else "".join(words)
        yield f'"{words[0]}"' if len(words) == 1 else ""
    elif isinstance(value, Mapping) and value and kind.name == "member":
        name, inner = next(iter(value.items()))
        yield f"{name} {json.dumps(inner, ensure_ascii=False)}"
    yield json.dumps(value, ensure_ascii=False)
