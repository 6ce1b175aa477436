"""The vocabulary of every profile: what YAML, Gherkin, the JSON Schema and the page say of one verb is the same."""

import gc
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner
from pytest_bdd.steps import step_function_context_registry

from rollout_conformance.steps import cli
from rollout_conformance.steps.engine import below_sentence, yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.verbs import BLOCK, TABLE, Member, Phrase, Verb
from rollout_conformance.steps.paths import SCENARIOS
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import example_sentences, schema, sentences, vocabulary_page
from rollout_conformance.steps.scenario.example_sentences import plain_sentence, sentence
from rollout_conformance.steps.scenario.gherkin import compile_feature
from rollout_conformance.steps.scenario.sentences import look_up, register

TRAINER = PROFILES["trainer"]


def verbs() -> Iterator[Any]:
    """Every verb that is a class of its own."""
    for name, profile in PROFILES.items():
        for verb in profile.vocabulary:
            if verb.kind is not object:
                yield pytest.param(profile, verb, id=f"{name}-{verb.name}")


def phrases() -> Iterator[Any]:
    for one in verbs():
        profile, verb = one.values
        for phrase in verb.phrases:
            yield pytest.param(profile, verb, phrase, id=f"{one.id}-{phrase.template}")


def read(text: str) -> Any:
    return yaml_source.parse(text, "x.yaml").value


def below(verb: Verb, phrase: Phrase) -> dict[str, Any]:
    """What stands under a sentence: the example that readers are shown."""
    if phrase.table:
        return {TABLE: [["name", "value"], ["a", "1"]]}
    if not phrase.block:
        return {}
    return {BLOCK: example_sentences.below(verb, phrase)}


def meant(profile: Profile, verb: Verb, phrase: Phrase, text: str) -> Any:
    """The value that the one sentence that fits gives."""
    keyword = phrase.keyword or ("when" if verb.is_action else "then")
    found = look_up(keyword, text, profile.name)
    assert [context.step_func.__name__ for context, _, _ in found] == [f"{verb.name}: {phrase.template}"]
    [(context, arguments, _)] = found
    return context.step_func(**arguments, **below(verb, phrase))


def as_written(verb: Verb, phrase: Phrase, text: str, value: Any) -> str:
    """The members of a value in YAML: as the sentence gives them, and those that differ from their default."""
    matched = re.fullmatch(verb.pattern(phrase), text)
    assert matched is not None
    types = dict(phrase.placeholders())
    given = dict(phrase.fixed)
    given |= {name: verb.type_of(name, types[name]).convert(said) for name, said in matched.groupdict().items()}
    if verb.before is None:
        members = [one for one in verb.members if one.name not in given]
        given |= {one.name: getattr(value, one.name) for one in members if getattr(value, one.name) != default(one)}
    elif phrase.block:
        given[phrase.block] = read(below(verb, phrase)[BLOCK])
    return yaml.safe_dump(plain(given))


def default(member: Member) -> Any:
    return member.factory() if callable(member.factory) else member.default


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("fill", [plain_sentence, sentence])
@pytest.mark.parametrize(("profile", "verb", "phrase"), list(phrases()))
def test_a_sentence_and_its_members_in_yaml_are_one_value(
    profile: Profile, verb: Verb, phrase: Phrase, fill: Any
) -> None:
    text = fill(verb, phrase)
    value = meant(profile, verb, phrase, text)
    assert isinstance(value, verb.kind)
    if not phrase.table:
        assert verb.read(read(as_written(verb, phrase, text, value))) == value


def mistakes_of(file: Path, profile: Profile, root: Path) -> str:
    try:
        compile_feature(file, profile, root)
    except SuiteError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("profile", "verb", "phrase"), list(phrases()))
def test_a_sentence_that_is_shown_can_be_written_in_a_feature(
    profile: Profile, verb: Verb, phrase: Phrase, tmp_path: Path
) -> None:
    """What a case lacks beside one sentence may be told, but the sentence itself is read: also one with a member called `before`."""
    keyword = (phrase.keyword or ("when" if verb.is_action else "then")).capitalize()
    file = tmp_path / f"{profile.name}.feature"
    lines = [f"{keyword} {sentence(verb, phrase)}", *below_sentence.written(example_sentences.below(verb, phrase))]
    body = "\n".join(f"    {line}" for line in lines)
    file.write_text(f"Feature: f\n\n  @{next(iter(profile.catalogue))}\n  Scenario: s\n{body}\n", encoding="utf-8")
    assert not re.search("no phrase for|two phrases fit|not Gherkin", mistakes_of(file, profile, tmp_path))


def test_no_sentence_is_lost_with_the_module_that_wrote_it() -> None:
    """pytest-bdd holds its steps weakly."""
    register(TRAINER.name)
    gc.collect()
    known = {context.step_func.__name__ for context in step_function_context_registry.values()}
    expected = {f"{verb.name}: {phrase.template}" for verb in TRAINER.vocabulary for phrase in verb.phrases}
    assert expected <= known


@pytest.mark.parametrize(("profile", "verb"), list(verbs()))
def test_a_verb_is_documented_with_examples_that_are_read(profile: Profile, verb: Verb) -> None:
    assert verb.doc
    assert not verb.doc.startswith(f"{verb.kind.__name__}("), "the docstring that dataclasses write by themselves"
    assert verb.examples or not verb.members, "a verb with members has an example"
    for example in verb.examples:
        assert isinstance(verb.read(read(example)), verb.kind)


@cache
def validator(name: str, part: str) -> jsonschema_rs.Draft202012Validator:
    """Of a step, or of an expectation, of the profile with this name."""
    definitions = schema.schema(PROFILES[name])["$defs"]
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{part}", "$defs": definitions})


@pytest.mark.parametrize(("profile", "verb"), list(verbs()))
def test_the_schema_allows_the_examples_and_no_other_members(profile: Profile, verb: Verb) -> None:
    valid = validator(profile.name, "steps" if verb.is_action else "expect").is_valid
    for example in verb.examples:
        assert valid({verb.name: read(example)}), example
    if verb.before is None:
        assert not valid({verb.name: {"member_that_no_verb_has": 1}})


@pytest.mark.parametrize("name", PROFILES)
def test_the_schema_allows_the_cases_that_are_shipped(name: str) -> None:
    whole = jsonschema_rs.Draft202012Validator(schema.schema(PROFILES[name]))
    files = sorted((SCENARIOS / name).glob("**/*.yaml"))
    assert files
    for file in files:
        wrong = [
            f"{file.name} {'.'.join(map(str, one.instance_path))}" for one in whole.iter_errors(read(file.read_text()))
        ]
        assert not wrong


@pytest.mark.parametrize(
    "value",
    [
        {"response_mask": "wide"},
        {"concurrent": "many"},
        {"members": [1]},
        {"rollout": {}},
        {"repeat": "yes"},
    ],
)
def test_the_schema_refuses_a_wrong_value_of_a_member(value: Any) -> None:
    valid = validator(TRAINER.name, "steps").is_valid
    assert not valid({"generate": value})
    assert valid("generate")
    assert valid({"generate": {"response_mask": "<mask>", "concurrent": "<count>"}}), "columns of `examples`"


@pytest.mark.parametrize("step", ["genrate", {"generate": None, "report_end": None}, {}, {"genrate": None}, 3])
def test_the_schema_refuses_what_is_not_one_known_verb(step: Any) -> None:
    assert not validator(TRAINER.name, "steps").is_valid(step)


def test_the_schemas_that_are_shipped_are_those_of_the_verbs() -> None:
    for file, one in schema.files().items():
        told = f"python -m {schema.__name__} writes it"
        assert file.read_text(encoding="utf-8") == schema.written(one), told


def test_the_pages_that_are_shipped_are_those_of_the_verbs() -> None:
    for file, text in vocabulary_page.files().items():
        assert file.read_text(encoding="utf-8") == text, f"python -m {vocabulary_page.__name__} writes it"


@pytest.mark.parametrize("word", ["generate", "response_mask", "Retry-After", "COMPLETED"])
def test_the_command_prints_the_verbs_that_have_a_word(word: str) -> None:
    printed = CliRunner().invoke(cli.cli, ["vocabulary", "--profile", "trainer", word])
    assert printed.exit_code == 0
    titles = re.findall(r"^### `(\w+)` \(trainer\)$", printed.output, re.MULTILINE)
    assert titles
    assert "tools_in_prompts" not in titles
    assert word in printed.output


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("tools in one turn", "Given the policy calls these tools in one turn:"),
        ("hold", "- `hold`, a response of the trainer: wait until"),
        ("delay", "- `delay_s`, a response of the trainer: seconds until"),
        ("headers", "- `headers`, a failure of the trainer: headers of the response, as {retry-after: '1'}"),
        (
            "cut",
            "- `fail`, a response of the trainer: a status, as 503; what happens to the connection: reset | stall | cut",
        ),
        ("duplicate", "### `resend_start` (rollout)"),
        ("parallel", "Given the policy calls these tools in one turn:"),
        ("503", "Given the trainer returns <status>"),
    ],
    ids=[
        "a sentence of a function",
        "a member of the script",
        "the beginning of a word",
        "a member that the schema does not name",
        "a word of the description",
        "a word of the description of a verb",
        "another word of the same meaning",
        "a value",
    ],
)
def test_the_command_finds_what_is_no_verb(words: str, found: str) -> None:
    assert found in CliRunner().invoke(cli.cli, ["vocabulary", "--profile", "rollout", words]).output


def test_every_member_of_a_case_is_described() -> None:
    for name in PROFILES:
        for title, model in vocabulary_page._models(PROFILES[name]).items():
            assert all(one.get("description") for one in model["properties"].values()), (name, title)


def test_the_command_prints_the_whole_vocabulary_of_a_profile() -> None:
    printed = CliRunner().invoke(cli.cli, ["vocabulary", "--profile", "trainer"])
    assert printed.output == vocabulary_page.page(TRAINER) + "\n"


def test_the_command_names_what_is_near_an_unknown_word() -> None:
    with pytest.raises(SuiteError, match=r"no verb, member or sentence has this word\. Did you mean generate or"):
        vocabulary_page.entries([TRAINER], "genrate")


def test_a_word_of_requirements_alone_leads_to_them() -> None:
    printed = CliRunner().invoke(cli.cli, ["vocabulary", "--profile", "rollout", "mask"])
    assert isinstance(printed.exception, SuiteError)
    assert "(`requirements mask`): ROLLOUT-030, " in str(printed.exception)


@pytest.mark.parametrize("name", PROFILES)
def test_what_stands_below_a_sentence_has_an_example_that_is_read(name: str) -> None:
    """As a function of a sentence takes it; a table is shown with its rows."""
    for context in sentences._known(None, PROFILES[name]):
        wanted = inspect.signature(context.step_func).parameters
        if BLOCK not in wanted and TABLE not in wanted:
            continue
        example = below_sentence.example_below(context.step_func)
        assert example, context.step_func.__name__
        assert example.startswith("|") is (TABLE in wanted)
        value = [[cell.strip() for cell in row.strip("|").split("|")] for row in example.splitlines()]
        given = {"how": "", "text": "Hello!", "method": "POST", "path": "/v1/x"}
        if not hasattr(context.step_func, "__signature__"):
            given = {k: v for k, v in given.items() if k in wanted}
            context.step_func(**given, **({TABLE: value} if TABLE in wanted else {BLOCK: example}))
        assert example.splitlines()[0] in vocabulary_page.page(PROFILES[name])


@pytest.mark.parametrize(
    ("profile", "shown"),
    [
        ("rollout", 'Then the tool results are ["sun", "snow"]'),
        ("rollout", 'Then the final messages contain a message with content "Done."'),
        ("rollout", "Then every generation request has seed 1"),
        ("rollout", "Then the trainer receives 1 completed callback"),
        ("rollout", "Then the resent start request is rejected with 409 or 422"),
        ("chat", 'Then the second response is the first response up to " 4"'),
        ("router", "When backend c is down"),
        ("router", "When backends c and d are down"),
        ("router", 'Then the response has the header Content-Type with the value "application/json"'),
        ("worker", "When 1 token of the response has arrived"),
    ],
)
def test_an_example_makes_sense(profile: str, shown: str) -> None:
    assert shown in vocabulary_page.page(PROFILES[profile]).splitlines()


@pytest.mark.parametrize("name", PROFILES)
def test_no_example_of_a_sentence_names_one_response_twice(name: str) -> None:
    for verb in PROFILES[name].vocabulary:
        for phrase in verb.phrases:
            text = sentence(verb, phrase)
            assert text.count("the response") < 2, text
            assert '"a text"' not in text, text
            assert not re.search(r"\bword\b", text), text


def test_what_may_stand_for_a_name_in_a_sentence_is_shown() -> None:
    """A reader who knows no code writes how backends respond from the page alone, in Gherkin and in YAML."""
    page = vocabulary_page.page(PROFILES["router"])
    assert "- `and reset the connection after 4 chunks`" in page
    assert "## The members of a backend response" in page
    assert "| `reset_after` | whole number | `0` | The connection is reset after so many chunks of a stream. |" in page
    assert "BackendResponse(" not in page


@pytest.mark.parametrize(
    ("word", "found"),
    [("error_after", "## The members of a backend response (router)"), ("event", "- `and send an error event")],
)
def test_the_ways_of_a_backend_to_fail_are_found(word: str, found: str) -> None:
    assert found in vocabulary_page.entries([PROFILES["router"]], word)
