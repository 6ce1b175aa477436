"""What the text of a completion is, or ends with."""

import json
from dataclasses import dataclass
from typing import Annotated, ClassVar

from rollout_conformance.steps.engine import json_schema
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesRejections, OptionallyRejectable, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.expectations.samples import sample_key
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

LENGTH = "length"
Schema = Annotated[str, Written(lambda written: json.dumps(written), {"type": ["object", "boolean"]})]


@verb("contains", short="text", example=("Paris", "{of: second, text: Paris}"))
@phrase("{of:responses} contains {text}")
@phrase("{of:several_responses} contain {text}")
@dataclass(frozen=True, slots=True)
class Contains(ResponseExpectation):
    """The content of the first choice contains this text."""

    text: str
    "The text."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        content = response.first_choice.content
        return Check(self.text in content, f"{show(self.text)} in the content", f"content: {show(content)}")


@verb("not_contains", short="text", example="{of: [first, third], text: Paris}")
@phrase("{of:responses} does not contain {text}")
@phrase("{of:several_responses} do not contain {text}")
@dataclass(frozen=True, slots=True)
class NotContains(ResponseExpectation):
    """This text is in no choice of the response: not in its content, its reasoning or the arguments of its tool calls."""

    text: str
    "The text."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        wrong = next((one for choice in response.choices for one in choice.texts if self.text in one), None)
        seen = response.first_choice.content if wrong is None else wrong
        return Check(wrong is None, f"no {show(self.text)} in the message", show(seen))


@verb("prompt_contains", short="text", example="I should greet.")
@dataclass(frozen=True, slots=True)
class PromptContains(ResponseExpectation):
    """The prompt that the server rendered contains this text. It takes the token ids of the prompt, and the tokenizer, to decide it."""

    text: str
    "The text."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if view.tokens is None or response.prompt_ids is None:
            return None
        prompt = view.tokens.decode(response.prompt_ids)
        return Check(self.text in prompt, f"a prompt with {show(self.text)}", show(prompt))


@verb("json_object", short="of", example="second")
@phrase("the text of {of:responses} is a JSON object")
@dataclass(frozen=True, slots=True)
class JsonObject(ResponseExpectation):
    """The content is a JSON object, or was truncated within one."""

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        choice = response.first_choice
        try:
            ok = isinstance(json.loads(choice.content), dict)
        except ValueError:
            ok = choice.finish == LENGTH
        return Check(ok, "content that is a JSON object", show(choice.content))


@verb("matches_schema", example="{schema: {type: object, required: [count]}}")
@dataclass(frozen=True, slots=True)
class MatchesSchema(JudgesRejections, ResponseExpectation):
    """The content is JSON that matches a schema, or was truncated; or the request was rejected."""

    schema: Schema
    "The JSON Schema."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        choice = response.first_choice
        value = parse(choice.content.encode("utf-8", "replace"))
        schema = json.loads(self.schema)
        ok = response.is_client_error or (
            choice.finish == LENGTH if isinstance(value, NotJson) else json_schema.is_valid(schema, value)
        )
        return Check(ok, f"content that matches {self.schema}", show(choice.content), ignored=not ok)


@verb("stopped_before", example="{of: second, full: first, stop: ' 4'}")
@phrase("{of:response} is {full:response} up to {stop:text}")
@dataclass(frozen=True, slots=True)
class StoppedBefore(ResponseExpectation):
    """The text is that of a full response before the first occurrence of a stop string. Where that does not occur, nothing is decided."""

    rests_on_determinism: ClassVar = True

    full: ResponseName
    "The response to the same request without the stop string."
    stop: str = ""
    "The stop string; default: that of the request, which `stop_in` took from the full response."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        full, choice = view.named(self.full)[0].first_choice.content, response.first_choice
        stop = self.stop or text(response.request.get("stop"))
        if not stop or stop not in full:
            return None
        if not self.stop and not full.startswith(choice.content.rstrip()):
            return None  # another text than before, which CHAT-030 judges
        expected = full.partition(stop)[0]
        ok = choice.content.rstrip() == expected.rstrip() and choice.finish == "stop"
        observed = f"{show(choice.content)}, finish_reason {show(choice.finish)}"
        return Check(ok, f"{show(expected)}, finish_reason stop", observed, ignored=choice.content == full)


@verb("truncated", short="tokens", example=("3", "{of: second, tokens: 3, longer: first}"))
@phrase("{of:responses} is truncated after {tokens} token(s)")
@phrase("{of:responses} is truncated after {tokens} token(s), where {longer:response} is longer")
@phrase("{of:several_responses} are truncated after {tokens} token(s)")
@dataclass(frozen=True, slots=True)
class Truncated(OptionallyRejectable):
    """The completion was truncated after exactly so many tokens, and its finish reason is `length`. The tokens are counted by their ids, else
    by `usage`, else by their logprobs; where there are none of these, only the reason is judged. A response that ended by itself before
    the limit shows nothing."""

    tokens: int
    "How many."
    longer: ResponseName = ""
    "The response to the same request with a larger limit: where it is no longer, the end may be one of the model, and nothing is decided."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if self.or_rejected and response.is_client_error:
            return Check(True, f"{self.tokens} tokens, or a 4xx", f"{response.status}")
        choice, count = response.first_choice, _tokens(response)
        if count is None and choice.finish == LENGTH:
            return None  # nothing says how many tokens these are; a `usage` that is missing is judged by itself
        if choice.finish != LENGTH and self._may_have_ended(response, count, view):
            return None
        ok = count == self.tokens and choice.finish == LENGTH
        counted = "no count of tokens" if count is None else f"{count} tokens"
        observed = f"{counted}, finish_reason {show(choice.finish)}"
        more = isinstance(count, int) and count > self.tokens
        return Check(ok, f"{self.tokens} tokens, finish_reason length", observed, ignored=more)

    def _may_have_ended(self, response: ChatResponse, count: int | None, view: CaseView) -> bool:
        """Whether the model may have ended a completion of no more than the limit by itself. `ignore_eos` does not let it."""
        if response.request.get("ignore_eos") or (count is not None and count > self.tokens):
            return False
        if not self.longer:
            return count is None or count < self.tokens
        return not _is_longer(view.named(self.longer)[0], response, self.tokens)


def _tokens(response: ChatResponse) -> int | None:
    """How many tokens a completion has, None where nothing says it."""
    choice = response.first_choice
    count = len(choice.ids or ()) or response.usage.get("completion_tokens", len(choice.logprobs or ()) or None)
    return count if isinstance(count, int) else None


def _is_longer(whole: ChatResponse, response: ChatResponse, tokens: int) -> bool:
    count = _tokens(whole)
    if count is not None:
        return count > tokens
    return len(whole.first_choice.content or "") > len(response.first_choice.content or "")


@verb("answers_whole_question", example="{of: parts, part: hello, wholes: [lines, line]}")
@dataclass(frozen=True, slots=True)
class AnswersWholeQuestion(OptionallyRejectable):
    """The completion is not the one to the first part of the question alone, unless the whole question in other forms leads to that as well."""

    part: ResponseName
    "The response to the first part."
    wholes: tuple[ResponseName, ...]
    "The responses to the whole question in other forms."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if self.or_rejected and response.is_client_error:
            return Check(True, "an answer to all of it, or a 4xx", f"{response.status}")
        part = sample_key(view.named(self.part)[0].first_choice)
        wholes = [view.named(name)[0].first_choice for name in self.wholes]
        if not response.is_completion or any(part == sample_key(whole) for whole in wholes):
            return None
        expected = f"an answer to all of it, such as {show(wholes[0].content)}"
        observed = f"that to its first part, {show(response.first_choice.content)}"
        return Check(sample_key(response.first_choice) != part, expected, observed)
