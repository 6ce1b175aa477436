"""The phrases of the profile `rollout`: each says in a sentence what a YAML key says in a word, and gives the same value.

A phrase returns an action or an expectation. Before any of them, `for rollout "A", ` means that rollout of several.
"""

import json
from typing import Any, TypeVar

from pydantic import BaseModel
from pytest_bdd import given, parsers, then, when

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.profiles.rollout import vocabulary as verbs
from rollout_conformance.steps.profiles.rollout.actions import TrainerSays
from rollout_conformance.steps.profiles.rollout.case_model import Acknowledgement, Line, RolloutCase, StartModel


def _says(**line: Any) -> TrainerSays:
    return TrainerSays(Script(verbs.line(Line.model_validate(line))))


def _acks(written: Any) -> TrainerSays:
    return TrainerSays(Script((), (verbs.ack(written),)))


def _starts(**wishes: Any) -> Action:
    return verbs.start_with(StartModel.model_validate(wishes))


def _action(name: str, value: Any = None) -> Action:
    return verbs.ACTIONS[name](value)


def _expect(name: str, value: Any = None) -> Expectation:
    return verbs.EXPECTATIONS[name](value)


Model = TypeVar("Model", bound=BaseModel)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(
            f"not JSON: {text}. Write numbers as they are, texts in double quotes, null, true or false"
        ) from None


def _block(model: type[Model], docstring: str) -> Model:
    """The members of a text block. What is wrong with them is told with their place."""
    source = yaml_source.parse(docstring, yaml_source.BLOCK)
    return yaml_source.validated(model, source)


def _list(text: str) -> list[Any]:
    return [part if part in ("error", "huge") else _json(part) for part in text.replace(" and ", ", ").split(", ")]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.replace(" or ", ", ").split(", ")]


# ------------------------------------------------------------------------------------------------ given: the trainer


@given(parsers.re(r'the trainer says "(?P<text>.*)"'))
def trainer_says(text: str) -> Action:
    return _says(say=text)


@given(parsers.re(r'the trainer says "(?P<text>.*)" when "(?P<name>[\w-]+)" is released'))
def trainer_says_later(text: str, name: str) -> Action:
    return _says(say=text, hold=name)


@given(parsers.re(r"the trainer calls (?P<tool>[\w.-]+) with (?P<arguments>\{.*\})"))
def trainer_calls(tool: str, arguments: str) -> Action:
    return _says(call={"name": tool, "arguments": arguments})


@given(parsers.re(r'the trainer calls (?P<tool>[\w.-]+) with the text "(?P<arguments>.*)"'))
def trainer_calls_with_text(tool: str, arguments: str) -> Action:
    """The arguments are sent as they are written, whether they are JSON or not."""
    return _says(call={"name": tool, "arguments_text": arguments})


@given("the trainer calls these tools at once:")
def trainer_calls_these(datatable: list[list[str]]) -> Action:
    """A row for each call: the tool, and its arguments as JSON."""
    for row in datatable:
        if len(row) != 2:
            raise ValueError(
                f'a row is a tool and its arguments, as | add | {{"a": 5, "b": 3}} |; seen: {" | ".join(row)}'
            )
    return _says(calls=[{"name": tool, "arguments": arguments} for tool, arguments in datatable])


@given("the trainer calls any tool")
def trainer_calls_any() -> Action:
    return _says(call="any")


@given(parsers.re(r'the trainer calls any tool when "(?P<name>[\w-]+)" is released'))
def trainer_calls_later(name: str) -> Action:
    return _says(call="any", hold=name)


@given(parsers.re(r"the trainer calls any tool in (?P<count>\d+) turns"))
def trainer_calls_often(count: str) -> Action:
    return _says(call="any", repeat=int(count))


@given(parsers.re(r"the trainer calls (?P<count>\d+) tools at once"))
def trainer_calls_several(count: str) -> Action:
    return _says(calls=["any"] * int(count))


@given("the trainer calls the tool that hangs")
def trainer_calls_hanging() -> Action:
    return _says(call="hanging")


@given(parsers.re(r"the trainer answers (?P<status>\d{3})"))
def trainer_fails(status: str) -> Action:
    return _says(fail=int(status))


@given(parsers.re(r"the trainer answers (?P<status>\d{3}) (?P<times>\d+) times"))
def trainer_fails_often(status: str, times: str) -> Action:
    return _says(fail={"status": int(status), "times": int(times)})


@given(parsers.re(r"the trainer answers (?P<status>\d{3}) for ever"))
def trainer_fails_for_ever(status: str) -> Action:
    return _says(fail={"status": int(status), "forever": True})


@given("the trainer breaks the connection")
def trainer_resets() -> Action:
    return _says(fail="reset")


@given("the trainer breaks every connection")
def trainer_resets_for_ever() -> Action:
    return _says(fail={"loss": "reset", "forever": True})


@given("the trainer stalls for ever")
def trainer_stalls() -> Action:
    return _says(fail={"loss": "stall", "forever": True})


@given("the trainer answers with a web page for ever")
def trainer_answers_html() -> Action:
    return _says(fail={"kind": "not_json", "forever": True})


@given("the trainer's next answer is")
def trainer_line(docstring: str) -> Action:
    return TrainerSays(Script(verbs.line(_block(Line, docstring))))


@given(parsers.re(r'the trainer plays (?P<file>\S+\.yaml) "(?P<name>.+)"'))
def trainer_plays(file: str, name: str) -> Action:
    source = yaml_source.read(ROOT / file, file)
    written = enumerate(source.value.get("cases", ()))
    models = [yaml_source.validated(RolloutCase, source, case, ("cases", n)) for n, case in written]
    cases = {case.name: case for case in models}
    if name not in cases:
        raise SuiteError(f"{file} has no case {name!r}; it has: {', '.join(cases)}")
    lines = tuple(line for model in cases[name].trainer for line in verbs.line(model))
    return TrainerSays(Script(lines, tuple(verbs.ack(ack) for ack in cases[name].acks)))


@given(parsers.re(r"the trainer acknowledges the completion with (?P<status>\d{3})"))
def trainer_acks(status: str) -> Action:
    return _acks(int(status))


@given(parsers.re(r"the trainer answers every completion with (?P<status>\d{3})"))
def trainer_acks_for_ever(status: str) -> Action:
    return _acks(Acknowledgement(status=int(status), forever=True))


@given("the trainer breaks the connection of the completion")
def trainer_loses_ack() -> Action:
    return _acks("reset")


# ------------------------------------------------------------------------------------------------ given: the start


@given(parsers.re(r"the start request has no (?P<name>\w+)"))
def start_without(name: str) -> Action:
    return _starts(without=[name])


@given(parsers.re(r"the start request has (?P<name>(?!no |the unknown )\w+) (?P<value>.+)"))
def start_has(name: str, value: str) -> Action:
    return _starts(**{name: _json(value)})


@given(parsers.re(r"the start request has the unknown member (?P<name>\w+) (?P<value>.+)"))
def start_has_unknown(name: str, value: str) -> Action:
    return _starts(unknown={name: _json(value)})


@given("the start request has")
def start_is(docstring: str) -> Action:
    return verbs.start_with(_block(StartModel, docstring))


# ------------------------------------------------------------------------------------------------ when


@when("the rollout is started")
def started() -> Action:
    return _action("start")


@when(parsers.re(r"(?P<copies>\d+) rollouts are started at once"))
def started_copies(copies: str) -> Action:
    return _action("start", {"copies": int(copies)})


@when("it has ended")
def has_ended() -> Action:
    return _action("end")


@when("they have all ended")
def have_ended() -> Action:
    return _action("end", "all")


@when("the same start is sent again")
def sent_again() -> Action:
    return _action("again")


@when(parsers.re(r"the same start is sent (?P<times>\d+) times at once"))
def sent_together(times: str) -> Action:
    return _action("again", {"times": int(times), "together": True})


@when(parsers.re(r"the same start is sent again with (?P<name>\w+) (?P<value>.+)"))
def sent_changed(name: str, value: str) -> Action:
    return _action("again", {"change": {name: _json(value)}})


@when(parsers.re(r"generation call (?P<nth>\d+) has arrived"))
def call_arrived(nth: str) -> Action:
    return _action("wait_for_call", int(nth))


@when(parsers.re(r'"(?P<name>[\w-]+)" is released'))
def released(name: str) -> Action:
    return _action("release", name)


@when(parsers.re(r"nothing has been heard for (?P<seconds>[\d.]+) s"))
def quiet(seconds: str) -> Action:
    return _action("quiet", float(seconds))


@when(parsers.re(r"it has reported its end (?P<times>\d+) times?"))
def reported(times: str) -> Action:
    return _action("reported", int(times))


@when(parsers.re(r"GET (?P<path>/\S*) is asked"))
def asked(path: str) -> Action:
    return _action("get", path)


@when(parsers.re(r"(?P<method>[A-Z]+) (?P<path>/\S*) is asked without a key"))
def asked_without_key(method: str, path: str) -> Action:
    return _action("ask", {"method": method, "path": path, "key": ""})


@when(parsers.re(r'the start is sent with the credentials "(?P<value>.*)"'))
def started_as(value: str) -> Action:
    return _action("start_as", value)


@when("the start is sent without credentials")
def started_anonymously() -> Action:
    return _action("start_as")


@when("it is cancelled")
def cancelled() -> Action:
    return _action("cancel")


@when("everything is cancelled")
def all_cancelled() -> Action:
    return _action("cancel", {"everything": True})


@when(parsers.re(r"(?P<body>\{.*\}) is sent as a cancellation"))
def cancelled_with(body: str) -> Action:
    return _action("cancel", {"raw": body})


@when("its status is asked")
def status_asked() -> Action:
    return _action("status")


@when(parsers.re(r'the status of "(?P<name>[^"]+)" is asked'))
def status_asked_of(name: str) -> Action:
    return _action("status", {"under": name})


@when("the server is stopped")
def stopped() -> Action:
    return _action("stop_server")


# ------------------------------------------------------------------------------------------------ then


@then(parsers.re(r"the start is refused with (?P<statuses>[\d, or]+)"))
def is_refused(statuses: str) -> Expectation:
    return _expect("refused", _numbers(statuses))


@then(parsers.re(r"the repeated start is answered (?P<statuses>[\d, or]+)"))
def last_is_refused(statuses: str) -> Expectation:
    return _expect("last_refused", _numbers(statuses))


@then("the start is accepted")
def is_accepted() -> Expectation:
    return _expect("accepted")


@then(parsers.re(r'it is completed because of "(?P<reason>[\w-]+)"'))
def is_completed(reason: str) -> Expectation:
    return _expect("completed", reason)


@then("it is completed")
def is_completed_anyhow() -> Expectation:
    return _expect("completed")


@then("it has failed")
def has_failed() -> Expectation:
    return _expect("failed")


@then(parsers.re(r'it has failed with the category "(?P<category>\w+)" and the status (?P<status>\d{3})'))
def has_failed_with(category: str, status: str) -> Expectation:
    return _expect("failed", {"categories": [category], "http_status": int(status), "strictly": True})


@then(parsers.re(r'it has failed, and not with the category "(?P<category>\w+)"'))
def has_failed_not_with(category: str) -> Expectation:
    return _expect("failed", {"not_categories": [category]})


@then("it has a final result")
def has_result() -> Expectation:
    return _expect("ended")


@then(parsers.re(r"there (?:was|were) (?P<count>\d+) generation calls?"))
def calls(count: str) -> Expectation:
    return _expect("calls", int(count))


@then(parsers.re(r"there were (?P<least>\d+) to (?P<most>\d+) generation calls"))
def calls_between(least: str, most: str) -> Expectation:
    return _expect("calls", {"least": int(least), "most": int(most)})


@then(parsers.re(r"its end was reported (?P<count>\d+) times?"))
def posts(count: str) -> Expectation:
    return _expect("posts", int(count))


@then(parsers.re(r"its end was reported (?P<least>\d+) to (?P<most>\d+) times"))
def posts_between(least: str, most: str) -> Expectation:
    return _expect("posts", {"least": int(least), "most": int(most)})


@then(parsers.re(r"the tool results? (?:is|are) (?P<values>.+)"))
def tool_results(values: str) -> Expectation:
    return _expect("tool_results", _list(values))


@then('error texts of tools begin with "Error:"')
def tool_error_prefix() -> Expectation:
    return _expect("tool_error_prefix")


@then("tool results show nothing of the server's inside")
def no_internals() -> Expectation:
    return _expect("no_internals")


@then(parsers.re(r"every generation call has (?P<name>\w+) (?P<value>.+)"))
def sent(name: str, value: str) -> Expectation:
    return _expect("sent", {name: _json(value)})


@then(parsers.re(r"the final messages contain one with (?P<name>\w+) (?P<value>.+)"))
def final_contains(name: str, value: str) -> Expectation:
    return _expect("final_contains", {name: _json(value)})


@then(parsers.re(r"the final messages are by (?P<roles>[\w, ]+)"))
def final_roles(roles: str) -> Expectation:
    return _expect("final_roles", roles.split(", "))


@then(parsers.re(r"the answer is (?P<status>\d{3})"))
def answered(status: str) -> Expectation:
    return _expect("answered", int(status))


@then(parsers.re(r"the answer to the start has the header (?P<name>[\w-]+)"))
def start_header(name: str) -> Expectation:
    return _expect("start_header", name.lower())


@then(parsers.re(r"every answer comes within (?P<seconds>[\d.]+) s"))
def prompt(seconds: str) -> Expectation:
    return _expect("prompt", float(seconds))


@then("every call that is not answered is given up in time")
def gives_up_calls() -> Expectation:
    return _expect("gives_up_calls")


@then(parsers.re(r"it ends within its (?P<limit>\w+_timeout_s)"))
def ends_within(limit: str) -> Expectation:
    return _expect("ends_within", limit)


@then("its result has metrics")
def metrics_present() -> Expectation:
    return _expect("metrics_present")


@then("no more rollouts run at once than the card says")
def at_most_together() -> Expectation:
    return _expect("at_most_together")


@then("the delays between retries do not shrink")
def retry_delays() -> Expectation:
    return _expect("retry_delays")


@then(parsers.re(r"the first retry waits at least (?P<seconds>[\d.]+) s"))
def retry_after(seconds: str) -> Expectation:
    return _expect("retry_delays", float(seconds))


@then("a retried call says which turn it is")
def retries_named() -> Expectation:
    return _expect("retries_named")


@then("active rollouts have risen and are never negative")
def active_returns() -> Expectation:
    return _expect("active_returns", {"rises": True})


@then("all of them end alike")
def same_outcome() -> Expectation:
    return _expect("same_outcome")


@then("every tool that is shown has run, and no other")
def shown_tools_run() -> Expectation:
    return _expect("shown_tools_run")


@then("each of them is refused or run")
def refused_or_run() -> Expectation:
    return _expect("refused_or_run")


@then("no call that was cut off has run")
def truncated_call_not_run() -> Expectation:
    return _expect("truncated_call_not_run")


@then(parsers.re(r"its status is (?P<statuses>\w+(?: or \w+)*)"))
def standing(statuses: str) -> Expectation:
    return _expect("standing", statuses.split(" or "))


@then(parsers.re(r"the cancellation says (?P<dispositions>\w+(?: or \w+)*)"))
def disposed(dispositions: str) -> Expectation:
    return _expect("disposed", dispositions.split(" or "))


@then("the cancellation is refused")
def cancel_refused() -> Expectation:
    return _expect("cancel_refused")


@then(parsers.re(r"its end is reported as (?P<statuses>\w+(?: or \w+)*)"))
def ends(statuses: str) -> Expectation:
    return _expect("ends", statuses.split(" or "))


@then("the reply says under which id it runs")
def reply_names_it() -> Expectation:
    return _expect("reply_names_it")


@then("the answer to the start shows no key")
def start_shows_no_key() -> Expectation:
    return _expect("start_shows_no_key")
