"""The pages of the vocabulary: what each verb does, its members, how it is written in YAML, and its sentences in Gherkin.

`python -m rollout_conformance.steps.scenario.vocabulary_page` writes docs/vocabulary*.md; `rollout-conformance vocabulary` prints the same.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.below_sentence import written
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.phrase_types import TYPES
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.engine.verbs import Member, Phrase, Verb, members_of
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import OURS, profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import sentences, synonyms
from rollout_conformance.steps.scenario.example_sentences import below, sentence
from rollout_conformance.steps.scenario.member_types import default_of, name_of, parts_of, type_of

DOCS = ROOT / "docs"
MADE = "<!-- Made by `python -m rollout_conformance.steps.scenario.vocabulary_page`; do not edit. -->"
INDEX = """# Vocabulary

{made}

The verbs of each profile: {links}. `rollout-conformance vocabulary WORD` prints those that have a word in their name, members or sentences.

A verb is one item of `steps` or `expect` of a case in YAML. It is written as its name alone (`- generate`), with a value, which is short for one
member (`- generate: a`), or with members (`- generate: {{rollout: a, concurrent: 3}}`). A value alone is also a list of one.

In Gherkin a verb is a sentence. Before a sentence about one rollout of several, `for rollout "a", ` names that rollout:
`When for rollout "a", the trainer starts the rollout`. These are the values that stand in sentences:

| type | example |
| --- | --- |
{types}

```{{toctree}}
:hidden:

{pages}
```
"""


def index() -> str:
    """What holds for the verbs of every profile."""
    return INDEX.format(
        made=MADE,
        links=", ".join(f"[{name}](vocabulary_{name}.md)" for name in OURS),
        types="\n".join(f"| {name} | `{one.example}` |" for name, one in TYPES.items()),
        pages="\n".join(f"vocabulary_{name}" for name in OURS),
    )


def page(profile: Profile) -> str:
    """The whole vocabulary of a profile."""
    title = f"# Vocabulary of the profile `{profile.name}`"
    vocabulary = profile.vocabulary
    actions = _section("Steps", vocabulary.actions.values())
    expectations = _section("Expectations", vocabulary.expectations.values())
    return "\n".join(
        [
            title,
            "",
            MADE,
            "",
            *_of_cases(profile),
            *actions,
            *expectations,
            *_of_functions(profile),
            *_of_parts(profile),
        ]
    )


def entries(profiles: Iterable[Profile], word: str) -> str:
    """The verbs, sentences and members of a case that have this word, or each of these words; where none has, those whose description has it.
    Raises `SuiteError` where there is none."""
    profiles, wanted = list(profiles), _split(word)
    found = [line for profile in profiles for line in _with_words(profile, wanted)]
    if not found:
        found = [line for profile in profiles for line in _with_words(profile, wanted, described=True)]
    if not found:
        known = {one for profile in profiles for verb in profile.vocabulary for one in _words(verb)}
        near = similar_names(word, sorted(known | {*synonyms.SYNONYMS}))
        hint = f" Did you mean {' or '.join(near)}?" if near else " `rollout-conformance vocabulary` lists all verbs."
        raise SuiteError(f"vocabulary {word}: no verb, member or sentence has this word.{hint}")
    return "\n".join(found)


def _with_words(profile: Profile, wanted: set[str], described: bool = False) -> Iterator[str]:
    for verb in profile.vocabulary:
        if _has(_words(verb, described), wanted):
            yield from _entry(verb, f" ({profile.name})")
    lines = [line for line in (*_function_sentences(profile), *profile.modifiers) if _has(_split(line), wanted)]
    if lines:
        yield from (f"### Other sentences ({profile.name})", "", "```gherkin", *map(str.strip, lines), "```", "")
    if _tells(profile, lines, wanted):
        yield from _told(profile)
    for kind in _parts(profile):
        if any(_has(_split(f"{one.name} {one.doc if described else ''}"), wanted) for one in members_of(kind)):
            yield from _part(kind, f" ({profile.name})")
    rows = [
        f"- `{member}`, {title[0].lower()}{title[1:]}: {told.get('description', '')}"
        for title, model in _models(profile).items()
        for member, told in model.get("properties", {}).items()
        if _has(_split(f"{member} {told.get('description', '') if described else ''}"), wanted)
    ]
    if rows:
        yield from (f"### Members of a case in YAML ({profile.name})", "", *rows, "")


def _tells(profile: Profile, lines: list[str], wanted: set[str]) -> bool:
    """Whether one of these sentences has the name that the profile tells of, or what may stand for it has the words."""
    listed = [one for _, several in profile.told for one in several]
    named = [line.split("`")[1] for line, _ in profile.told if line.startswith("`<")]
    return any(name in line for name in named for line in lines) or any(_has(_split(one), wanted) for one in listed)


def _has(words: set[str], wanted: set[str]) -> bool:
    """Whether each wanted word, or a synonym of it, is one of these, or what one of them begins with: `delay` is found as `delay_s`."""
    return all(any(_begun(words, some) for some in synonyms.meant_by(one)) for one in wanted)


def _begun(words: set[str], wanted: Iterable[str]) -> bool:
    return all(one in words or any(word.startswith(one) for word in words if len(one) >= 3) for one in wanted)


def _section(title: str, verbs: Iterable[Verb]) -> Iterator[str]:
    yield from (f"## {title}", "")
    for verb in verbs:
        yield from _entry(verb)


def _entry(verb: Verb, where: str = "") -> Iterator[str]:
    yield from (f"### `{verb.name}`{where}", "")
    yield from (*verb.doc.splitlines(), "")
    yield from _members(verb)
    if verb.examples:
        yield from ("```yaml", *(f"- {verb.name}: {example}" for example in verb.examples), "```", "")
    if verb.phrases:
        yield from ("```gherkin", *(_gherkin(verb, phrase) for phrase in verb.phrases), "```", "")


def _members(verb: Verb) -> Iterator[str]:
    if verb.members:
        yield from _table(verb.members, verb)


def _table(members: Iterable[Member], verb: Verb | None = None) -> Iterator[str]:
    yield from ("| member | type | default | meaning |", "| --- | --- | --- | --- |")
    for member in sorted(members, key=lambda one: not one.is_needed):
        short = (
            f" `{verb.name}: x` is short for `{verb.name}: {{{member.name}: x}}`."
            if verb is not None and member.name == verb.short
            else ""
        )
        meaning = f"{' '.join(member.doc.split())}{short}".replace("|", "\\|").strip()
        yield f"| `{member.name}` | {type_of(member.hint)} | {default_of(member)} | {meaning} |"
    yield ""


def _gherkin(verb: Verb, phrase: Phrase) -> str:
    keyword = phrase.keyword or ("when" if verb.is_action else "then")
    return _with_below(f"{keyword.capitalize()} {sentence(verb, phrase)}", below(verb, phrase))


def _with_below(line: str, example: str) -> str:
    """A sentence, and what may stand below it."""
    return "\n  ".join([line, *written(example)])


def _of_functions(profile: Profile) -> Iterator[str]:
    """The sentences that are more than one verb with its members."""
    lines = _function_sentences(profile)
    if not lines:
        return
    yield from ("## Other sentences", "", "```gherkin", *lines, "```", "")
    if profile.modifiers:
        yield from ("`<how>` is nothing, or some of these, one after the other:", "")
        yield from (*(f"- `{one.strip()}`" for one in profile.modifiers), "")
    yield from _told(profile)


def _told(profile: Profile) -> Iterator[str]:
    """What may stand for a name in a sentence, where that is a list of its own."""
    for line, listed in profile.told:
        yield from (line, "", *(f"- `{one.strip()}`" for one in listed), "")


def _of_parts(profile: Profile) -> Iterator[str]:
    """What has members of its own and is written within a verb, such as the response of a backend."""
    for kind in _parts(profile):
        yield from _part(kind)


def _parts(profile: Profile) -> list[type]:
    hints = (member.hint for verb in profile.vocabulary for member in verb.members)
    return list(dict.fromkeys(part for hint in hints for part in parts_of(hint)))


def _part(kind: type, where: str = "") -> Iterator[str]:
    yield from (f"## The members of a {name_of(kind)}{where}", "", *(inspect.getdoc(kind) or "").splitlines(), "")
    yield from _table(members_of(kind))


def _function_sentences(profile: Profile) -> list[str]:
    found = sentences.of_functions(profile)
    return [_with_below(f"{keyword.capitalize()} {text}", example) for keyword, text, example in found]


def _models(profile: Profile) -> dict[str, Any]:
    """The schemas of a case and of what stands in it, by title."""
    schema = profile.case_model.model_json_schema()
    others = [*schema.get("$defs", {}).values(), *(one.model_json_schema() for one in profile.case_model.described)]
    return {"A case": schema, **{one["title"]: one for one in others if "properties" in one}}


def _of_cases(profile: Profile) -> Iterator[str]:
    """The members of a case in YAML, and of what stands in them."""
    for title, model in _models(profile).items():
        yield from (f"## {title}", "", *str(model.get("description", "")).splitlines(), "")
        yield from ("| member | meaning |", "| --- | --- |")
        for member, told in model.get("properties", {}).items():
            needed = " (needed)" if member in model.get("required", ()) else ""
            yield f"| `{member}` | {str(told.get('description', '')).replace('|', chr(92) + '|')}{needed} |"
        yield ""


def _words(verb: Verb, described: bool = False) -> set[str]:
    """What a verb is found by, in small letters; where it is `described`, also what is said of it."""
    written = " ".join(sentence(verb, phrase) for phrase in verb.phrases)
    names = " ".join([verb.name, *verb.name.split("_"), *(member.name for member in verb.members)])
    told = " ".join([verb.doc, *(member.doc for member in verb.members)]) if described else ""
    return _split(f"{names} {written} {told}")


def _split(text: str) -> set[str]:
    return {one.lower() for one in re.findall(r"[\w-]+", text)}


def files() -> Mapping[Path, str]:
    """Every page that is shipped."""
    pages = {DOCS / f"vocabulary_{name}.md": page(profile_of(name)) for name in OURS}
    return {DOCS / "vocabulary.md": index(), **pages}


if __name__ == "__main__":
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
