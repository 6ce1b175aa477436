"""Tool calls as any client reads them: an id that no other call has, type `function`, a name, and arguments as text."""

from collections import Counter
from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice
from rollout_conformance.steps.profiles.chat.view import CaseView

EXPECTED = "calls with an id of their own, type function, a name, and arguments that are a JSON object as text"


def calls(view: CaseView) -> Iterator[Evidence]:
    """Each tool call can be run, and its result returned. What the model wrote into the arguments is not judged here."""
    for response in completions(view):
        earlier = _earlier_ids(response)
        for choice in response.choices:
            if choice.calls:
                may_be_cut = choice.finish not in ("tool_calls", "stop") or bool(response.request.get("stop"))
                wrong = [*_members(choice, may_be_cut), *_ids(choice, earlier)]
                yield broken(40, EXPECTED, "; ".join(wrong), response.n) if wrong else satisfied(40)


def _earlier_ids(response: ChatResponse) -> set[str]:
    earlier = [call for message in mappings(response.messages) for call in mappings(message.get("tool_calls"))]
    return {str(call.get("id")) for call in earlier}


def _ids(choice: Choice, earlier: set[str]) -> Iterator[str]:
    counts = Counter(call["id"] for call in choice.calls if isinstance(call.get("id"), str))
    for name, count in counts.items():
        if count > 1:
            yield f"the id {show(name)} {count} times in one message"
        if name in earlier:
            yield f"the id {show(name)} of an earlier call of the conversation"


def _members(choice: Choice, may_be_cut: bool) -> Iterator[str]:
    """What is wrong with each call. The last one may be cut before its arguments begin."""
    for n, call in enumerate(choice.calls):
        function = mapping(call.get("function"))
        arguments = function.get("arguments")
        is_cut = may_be_cut and n == len(choice.calls) - 1
        where = f"tool_calls[{n}]"
        if not (isinstance(call.get("id"), str) and call["id"]):
            yield f"{where}.id is {show(call.get('id'))}"
        if call.get("type") != "function":
            yield f"{where}.type is {show(call.get('type'))}"
        if not (isinstance(function.get("name"), str) and function["name"]):
            yield f"{where}.function.name is {show(function.get('name'))}"
        if not isinstance(arguments, str) or not (arguments.strip() or is_cut):
            yield f"{where}.function.arguments is {show(arguments)}"
