"""The phrases of the profile `chat`, which `router` has as well: each says in a sentence what a YAML key says in a word, and gives the
same value.

A phrase returns an action or an expectation. `before` are the actions of the lines above it: `it is asked the same` goes on from the last
question, and `the second` is the reply to the second one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_bdd import parsers, then, when

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.profiles.chat import vocabulary
from rollout_conformance.steps.profiles.chat.actions import Ask
from rollout_conformance.steps.profiles.chat.phrase_modifiers import HOW, of_question, of_request
from rollout_conformance.steps.profiles.chat.phrase_references import (
    WHO,
    named,
    new,
    new_reading,
    one,
    readings,
    statuses,
    words,
)

Actions = tuple[Action, ...]
Expectations = tuple[Expectation, ...]
ASKED = "(?:the engine|the router|it) is"
NO_NAMES: Mapping[str, list[str]] = {"no tool": [], "some tool": ["any"]}
TOOLS = rf"{'|'.join(NO_NAMES)}|\w+(?:, \w+)*(?: and \w+)?"


def _action(name: str, value: Any = None) -> Action:
    return vocabulary.ACTIONS[name](value)


def _expect(name: str, value: Any = None) -> Expectation:
    return vocabulary.EXPECTATIONS[name](value)


def _yaml(docstring: str) -> Any:
    return yaml_source.parse(docstring, yaml_source.BLOCK).value


def _last(before: Actions) -> Ask:
    found = next((action for action in reversed(before) if isinstance(action, Ask)), None)
    if found is None:
        raise ValueError('there is no question before this one. Begin with: the engine is asked "Hello!"')
    return found


def _from(last: Ask, name: str, given: dict[str, Any]) -> Ask:
    """The question once more, alone, with what is said of it now."""
    given["change"] = {**last.change, **given.get("change", {})}
    asked = _action("chat", {"name": name, **given})
    assert isinstance(asked, Ask)
    said = {key: getattr(asked, key) for key in ("name", *given)}
    return replace(last, **{"times": 1, "seeds": False, "leave_after": 0, **said})


# ------------------------------------------------------------------------------------------------ when: questions


@when(parsers.re(rf'{ASKED} asked "(?P<text>[^"]*)"{HOW}'))
def asked(text: str, how: str, before: Actions) -> Action:
    return _action("chat", {"name": new(before), "ask": text, **of_question(how)})


@when(parsers.re(rf'{ASKED} asked "(?P<text>[^"]*)"{HOW} with these members:'))
def asked_with(text: str, how: str, docstring: str, before: Actions) -> Action:
    given = of_question(how)
    change = {**given.pop("change", {}), **yaml_source.members(docstring)}
    return _action("chat", {"name": new(before), "ask": text, "change": change, **given})


@when(parsers.re(rf"{ASKED} asked nothing{HOW}"))
def asked_nothing(how: str, before: Actions) -> Action:
    return _action("chat", {"name": new(before), **of_question(how)})


@when(parsers.re(rf"{ASKED} asked more than it can take{HOW}"))
def asked_too_much(how: str, before: Actions) -> Action:
    return _action("chat", {"name": new(before), "longer_than_it_takes": True, **of_question(how)})


@when(parsers.re(rf"{ASKED} asked in this conversation{HOW}:"))
def asked_in(how: str, datatable: list[list[str]], before: Actions) -> Action:
    messages = [{"role": role, "content": content} for role, content in datatable]
    return _action("chat", {"name": new(before), "messages": messages, **of_question(how)})


@when(parsers.re(rf"{ASKED} given these messages{HOW}:"))
def given_messages(how: str, docstring: str, before: Actions) -> Action:
    return _action("chat", {"name": new(before), "messages": _yaml(docstring), **of_question(how)})


@when(parsers.re(rf"{ASKED} given a history that it never had{HOW}:"))
def given_history(how: str, docstring: str, before: Actions) -> Action:
    return _action("chat", {"name": new(before), "messages": _yaml(docstring), "rewritten": True, **of_question(how)})


@when(parsers.re(rf"{ASKED} asked the same(?: again)?{HOW}"))
def asked_the_same(how: str, before: Actions) -> Action:
    return _from(_last(before), new(before), of_question(how))


@when(parsers.re(rf'{ASKED} then asked "(?P<text>[^"]*)"{HOW}'))
def then_asked(text: str, how: str, before: Actions) -> Action:
    return _gone_on(_last(before), before, {"ask": text, **of_question(how)})


@when(parsers.re(rf'after (?P<who>the \w+), {ASKED} asked "(?P<text>[^"]*)"{HOW}'))
def asked_after(who: str, text: str, how: str, before: Actions) -> Action:
    name = one(who, before)
    earlier = next((action for action in before if isinstance(action, Ask) and action.name == name), None)
    if earlier is None:
        raise ValueError(f"{who} is no answer to a question, and no conversation goes on from there")
    return _gone_on(earlier, before, {"ask": text, **of_question(how)})


@when(parsers.re(rf"{ASKED} given what its tools say{HOW}"))
def given_results(how: str, before: Actions) -> Action:
    return _gone_on(_last(before), before, {"ask": "", **of_question(how)})


def _gone_on(last: Ask, before: Actions, given: dict[str, Any]) -> Action:
    if last.times > 1:
        raise ValueError(f"the question before was asked {last.times} times: which of the answers goes on is not clear")
    return _from(last, new(before), {"after": last.name, "messages": [], "longer_than_it_takes": False, **given})


# ------------------------------------------------------------------------------------------------ when: anything else


@when(parsers.re(rf"(?P<method>[A-Z]+) (?P<path>/\S*) is sent{HOW}"))
def sent(method: str, path: str, how: str, before: Actions) -> Action:
    return _action("send", {"name": new(before), "path": path, "method": method, **of_request(how)})


@when(parsers.re(rf"(?P<method>[A-Z]+) (?P<path>/\S*) is sent{HOW} with this body:"))
def sent_body(method: str, path: str, how: str, docstring: str, before: Actions) -> Action:
    given = {"name": new(before), "path": path, "method": method, "raw": docstring}
    return _action("send", {**given, **of_request(how)})


@when("its metrics are read")
def measured(before: Actions) -> Action:
    return _action("measure", {"name": new_reading(before)})


# ------------------------------------------------------------------------------------------------ then: whether there is an answer


@then(parsers.re(rf"{WHO} (?:is|are) answered"))
def answered(who: str, before: Actions) -> Expectations:
    return tuple(_expect("answered", {"of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:is|are) answered (?P<codes>\d[\d, or]+)"))
def answered_with(who: str, codes: str, before: Actions) -> Expectations:
    return tuple(_expect("answered", {"of": name, "statuses": statuses(codes)}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:is|are) refused"))
def refused(who: str, before: Actions) -> Expectations:
    return tuple(_expect("refused", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} lists? the models"))
def listed(who: str, before: Actions) -> Expectations:
    return tuple(_expect("listed", name) for name in named(who, before))


# ------------------------------------------------------------------------------------------------ then: what is said


@then(parsers.re(rf'{WHO} says? "(?P<text>[^"]*)"'))
def says(who: str, text: str, before: Actions) -> Expectations:
    return tuple(_expect("says", {"text": text, "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} says? the same"))
def alike_in_text(who: str, before: Actions) -> Expectation:
    return _expect("alike", {"of": list(named(who, before)), "by": "text"})


@then(parsers.re(rf"{WHO} sampled? the same tokens"))
def alike_in_ids(who: str, before: Actions) -> Expectation:
    return _expect("alike", list(named(who, before)))


@then(parsers.re(r"(?P<who>the \w+) says what (?P<other>the \w+) says, or is refused"))
def alike_or_refused(who: str, other: str, before: Actions) -> Expectation:
    return _expect("alike_or_refused", {"of": one(who, before), "as": one(other, before)})


@then(parsers.re(r"(?P<who>the \w+) do not all say the same"))
def not_all_alike(who: str, before: Actions) -> Expectation:
    return _expect("not_all_alike", one(who, before))


@then(parsers.re(r"(?P<who>the \w+) do not all say the same, unless (?P<greedy>the \w+) says it too"))
def not_all_alike_unless(who: str, greedy: str, before: Actions) -> Expectation:
    return _expect("not_all_alike", {"of": one(who, before), "greedy": one(greedy, before)})


@then(parsers.re(r"(?P<who>the \w+) do not all say what (?P<greedy>the \w+) says"))
def sampled(who: str, greedy: str, before: Actions) -> Expectation:
    return _expect("sampled", {"of": one(who, before), "greedy": one(greedy, before)})


@then(parsers.re(rf'"(?P<word>[^"]+)" is nowhere in {WHO}'))
def apart(word: str, who: str, before: Actions) -> Expectation:
    return _expect("apart", {"word": word, "of": list(named(who, before))})


@then(parsers.re(rf"{WHO} (?:is a JSON object|are JSON objects)"))
def is_json(who: str, before: Actions) -> Expectations:
    return tuple(_expect("is_json", name) for name in named(who, before))


# ------------------------------------------------------------------------------------------------ then: how long, how many


@then(parsers.re(r'(?P<cut>the \w+) is (?P<full>the \w+) up to "(?P<at>[^"]+)"'))
def stops(cut: str, full: str, at: str, before: Actions) -> Expectation:
    return _expect("stops", {"full": one(full, before), "cut": one(cut, before), "at": at})


@then(parsers.re(rf"{WHO} (?:is|are) cut after (?P<tokens>\d+) tokens?"))
def cut(who: str, tokens: str, before: Actions) -> Expectations:
    return tuple(_expect("cut", {"of": name, "tokens": int(tokens)}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:has|have) (?P<count>\d+) choices?"))
def choices(who: str, count: str, before: Actions) -> Expectations:
    return tuple(_expect("choices", {"of": name, "count": int(count)}) for name in named(who, before))


@then(parsers.re(rf"the choices of {WHO} are not all the same"))
def varied(who: str, before: Actions) -> Expectations:
    return tuple(_expect("varied", name) for name in named(who, before))


@then(parsers.re(r"the choices of (?P<who>it|the \w+) vary as the replies of (?P<other>the \w+) do"))
def varied_beside(who: str, other: str, before: Actions) -> Expectation:
    return _expect("varied", {"of": one(who, before), "beside": one(other, before)})


@then(parsers.re(rf"each token of {WHO} has (?P<count>\d+) alternatives"))
def top_logprobs(who: str, count: str, before: Actions) -> Expectations:
    return tuple(_expect("top_logprobs", {"of": name, "count": int(count)}) for name in named(who, before))


@then(parsers.re(r"each token of (?P<who>it|the \w+) has (?P<count>\d+) alternatives, or it is refused"))
def top_logprobs_or_refused(who: str, count: str, before: Actions) -> Expectation:
    return _expect("top_logprobs", {"of": one(who, before), "count": int(count), "or_refused": True})


@then("each prompt is longer than the one before")
def grows(before: Actions) -> Expectation:
    return _expect("grows", list(named("all", before)))


@then(parsers.re(rf"{WHO} counts? the same tokens"))
def same_usage(who: str, before: Actions) -> Expectation:
    return _expect("same_usage", list(named(who, before)))


@then(parsers.re(rf"{WHO} (?:has|have) the same logprobs"))
def same_logprobs(who: str, before: Actions) -> Expectation:
    return _expect("same_logprobs", list(named(who, before)))


@then(parsers.re(r'the prompt of (?P<who>it|the \w+) holds "(?P<text>.+)"'))
def prompt_holds(who: str, text: str, before: Actions) -> Expectation:
    return _expect("prompt_holds", {"text": text, "of": one(who, before)})


# ------------------------------------------------------------------------------------------------ then: tools


@then(parsers.re(rf"{WHO} calls? (?P<names>{TOOLS})"))
def calls(who: str, names: str, before: Actions) -> Expectations:
    return tuple(_expect("calls", {"names": _tools(names), "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} calls? (?P<names>{TOOLS}), as it was told to"))
def calls_as_told(who: str, names: str, before: Actions) -> Expectations:
    given = {"names": _tools(names), "ignored": True}
    return tuple(_expect("calls", {**given, "of": name}) for name in named(who, before))


def _tools(names: str) -> list[str]:
    return NO_NAMES.get(names, words(names))


@then(parsers.re(r"(?P<who>it|the \w+) tells (?P<results>.+) where (?P<calls>the \w+) made so many calls"))
def both_told(who: str, results: str, calls: str, before: Actions) -> Expectation:
    told = tuple(words(results))
    return _expect("both_told", {"of": one(who, before), "calls": one(calls, before), "results": told})


# ------------------------------------------------------------------------------------------------ then: streams


@then(parsers.re(rf"{WHO} ends? with (?:its|their) usage"))
def usage_sent(who: str, before: Actions) -> Expectations:
    return tuple(_expect("usage_chunk", {"sent": True, "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:has|have) no usage"))
def usage_not_sent(who: str, before: Actions) -> Expectations:
    return tuple(_expect("usage_chunk", {"sent": False, "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} arrives? piece by piece"))
def arrives(who: str, before: Actions) -> Expectations:
    return tuple(_expect("arrives", name) for name in named(who, before))


@then(parsers.re(r"at most (?P<tokens>\d+) tokens were sampled in between, and nothing runs"))
def freed(tokens: str, before: Actions) -> Expectation:
    found = readings(before)
    if len(found) < 2:
        raise ValueError(
            f"two readings are compared, and there are {len(found)}. Before and after: its metrics are read"
        )
    return _expect("freed", {"before": found[-2], "after": found[-1], "tokens": int(tokens)})


@then(parsers.re(rf"{WHO} fits? this schema, or (?:is|are) refused:"))
def fits(who: str, docstring: str, before: Actions) -> Expectations:
    schema = yaml_source.parse(docstring, yaml_source.BLOCK).value
    return tuple(_expect("fits", {"schema": schema, "of": name}) for name in named(who, before))


@then(parsers.re(r"(?P<who>the \w+) makes at most one call, where (?P<beside>the \w+) makes several"))
def one_call(who: str, beside: str, before: Actions) -> Expectation:
    return _expect("one_call", {"of": one(who, before), "beside": one(beside, before)})


@then(parsers.re(r"(?P<who>the \w+) is no answer to (?P<part>the \w+) alone, as (?P<wholes>the .+) (?:is|are) none"))
def more_than(who: str, part: str, wholes: str, before: Actions) -> Expectation:
    names = list(named(wholes, before))
    return _expect("more_than", {"of": one(who, before), "part": one(part, before), "wholes": names})
