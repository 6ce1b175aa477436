"""What the shipped tokenizers promise. The templates are rendered from the files, as a stranger would render them."""

import json
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from rollout_conformance.steps.peers.make_tokenizer import (
    CONVERSATIONS,
    MARKUP,
    SEED,
    SPECIAL,
    VARIANTS,
    VOCABULARY,
    corpus,
    write,
)
from rollout_conformance.steps.peers.tokenizer_corpus import conversations

SCENARIOS = Path(__file__).parents[2] / "scenarios"
KEEPING = "tokenizer"
STRIPPING = "tokenizer_stripping"
BOTH = pytest.mark.parametrize("name", [KEEPING, STRIPPING])
# The first example pays for loading the files.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Messages = list[dict[str, Any]]
ADD = {"type": "function", "function": {"name": "add", "parameters": {"properties": {"a": {}, "b": {}}}}}
TOOLS = [ADD, {"type": "function", "function": {"name": "now"}}]


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(SCENARIOS / KEEPING / "tokenizer.json"))


@cache
def template(name: str) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string((SCENARIOS / name / "chat_template.jinja").read_text(encoding="utf-8"))


def render(messages: Messages, *, name: str = KEEPING, tools: Any = None, prompt: bool = False) -> str:
    return template(name).render(messages=messages, tools=tools, add_generation_prompt=prompt)


def encode(text: str) -> list[int]:
    return list(tokenizer().encode(text).ids)


def decode(ids: list[int], *, skip: bool = False) -> str:
    return str(tokenizer().decode(ids, skip_special_tokens=skip))


# A lone surrogate cannot be written as UTF-8, so no message holds one.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
tricky = texts | st.sampled_from(
    ["", "\n", "\n\nx", "x\n", "}\n", "<|im_end|>", "<tool_call>", " {\n", "8", "é\u0301 🙂", "</think>"]
)
argument_texts = tricky | st.sampled_from(['{"a":5,  "b" : 3}', '{"b": 3, "a": 5}', "{", "null", '{"a": "\\u00e9<&>"}'])
objects = st.dictionaries(
    texts, tricky | st.integers() | st.booleans() | st.none() | st.lists(st.integers()), max_size=3
)
calls = st.lists(
    st.builds(
        lambda name, arguments: {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}},
        st.sampled_from(["add", "now", "search_é"]),
        argument_texts | objects,
    ),
    max_size=3,
)
contents = tricky | st.none() | st.lists(st.builds(lambda text: {"type": "text", "text": text}, tricky), max_size=3)
assistants = st.builds(
    lambda content, calls, more: {"role": "assistant", "content": content, "tool_calls": calls} | more,
    contents,
    calls | st.none(),
    st.one_of(
        st.just({}),
        st.builds(lambda text: {"reasoning_content": text}, tricky | st.none()),
        st.builds(lambda text: {"reasoning": text}, tricky),
    ),
)
others = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer", "user", "user", "tool", "tool", "function", "critic"]),
    contents,
)
chats = st.lists(others | assistants, min_size=1, max_size=8)
tools_or_none = st.sampled_from([None, [], TOOLS])


def joined(content: Any) -> str:
    return "".join(part["text"] for part in content) if isinstance(content, list) else content or ""


def turn_text(message: Mapping[str, Any]) -> str:
    """What the model wrote to make this assistant message: the template's rule, told a second time."""
    content = joined(message["content"])
    reasoning = message.get("reasoning_content", message.get("reasoning"))
    thought = ""
    if reasoning:
        inside = ("" if reasoning.startswith("\n") else "\n") + reasoning + ("" if reasoning.endswith("\n") else "\n")
        thought = f"<think>{inside}</think>" + ("" if content.startswith("\n\n") else "\n\n")
    blocks = "\n".join(map(call_text, message["tool_calls"] or []))
    gap = "\n" if blocks and content and not content.endswith("\n") else ""
    return thought + content + gap + blocks + "<|im_end|>"


def call_text(call: Mapping[str, Any]) -> str:
    arguments = call["function"]["arguments"]
    body = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{call["function"]["name"]}", "arguments": {body}}}\n</tool_call>'


class TestTokens:
    @unhurried
    @given(texts | tricky)
    def test_decoding_gives_back_the_text(self, text: str) -> None:
        assert decode(encode(text)) == text

    @unhurried
    @given(st.text("0123456789}\n\r {\"a:é,'", max_size=40))
    def test_digits_closing_braces_and_newlines_stand_alone(self, text: str) -> None:
        pieces = [decode([token]) for token in encode(text)]
        assert [piece for piece in pieces if len(piece) > 1 and re.search(r"[0-9}\n\r]", piece)] == []

    def test_no_token_of_the_vocabulary_holds_a_digit_brace_or_newline_and_more(self) -> None:
        pieces = [decode([token]) for token in range(VOCABULARY)]
        assert [piece for piece in pieces if len(piece) > 1 and re.search(r"[0-9}\n\r]", piece)] == []

    def test_the_vocabulary_has_the_size_and_the_ids_it_says(self) -> None:
        assert tokenizer().get_vocab_size() == VOCABULARY
        assert [tokenizer().token_to_id(token) for token in SPECIAL] == [0, 1, 2]
        assert [tokenizer().token_to_id(token) for token in MARKUP] == list(range(VOCABULARY - 6, VOCABULARY))

    @pytest.mark.parametrize("token", SPECIAL + MARKUP)
    def test_the_text_of_a_token_is_that_token_wherever_it_stands(self, token: str) -> None:
        [alone] = encode(token)
        said = render([{"role": "tool", "content": f"x{token}y"}])
        bare = render([{"role": "tool", "content": "xy"}])
        assert alone == tokenizer().token_to_id(token)
        assert encode(said).count(alone) == encode(bare).count(alone) + 1
        assert decode(encode(said)) == said

    @pytest.mark.parametrize("token", SPECIAL + MARKUP)
    def test_skipping_special_tokens_keeps_the_markup(self, token: str) -> None:
        assert decode(encode(f"x{token}y"), skip=True) == ("xy" if token in SPECIAL else f"x{token}y")

    def test_the_training_text_compresses(self) -> None:
        text = "".join(corpus(count=20))
        assert len(encode(text)) < len(text) / 2


class TestPrefixes:
    @unhurried
    @given(chats, tools_or_none)
    def test_a_prompt_and_its_answer_start_every_later_rendering(self, messages: Messages, tools: Any) -> None:
        whole = render(messages, tools=tools)
        for turn, message in enumerate(messages):
            if message["role"] == "assistant" and turn:
                past = render(messages[:turn], tools=tools, prompt=True) + turn_text(message) + "\n"
                assert whole.startswith(past)
                assert encode(whole)[: len(encode(past))] == encode(past)

    @unhurried
    @given(chats)
    def test_tools_change_the_preamble_and_no_length_after_it(self, messages: Messages) -> None:
        def growth(tools: Any) -> list[int]:
            lengths = [len(encode(render(messages[:end], tools=tools))) for end in range(1, len(messages) + 1)]
            return [later - earlier for earlier, later in pairwise(lengths)]

        assert growth(TOOLS) == growth(None)

    @pytest.mark.parametrize(
        ("reasoning", "content"),
        [("R", "C"), ("\nR\n", "\n\nC"), ("\nR\n", "C"), ("R\n", "C\n"), ("R", "\n\nC\n")],
    )
    def test_newlines_beside_the_markup_may_be_handed_back_or_not(self, reasoning: str, content: str) -> None:
        call = {"function": {"name": "now", "arguments": "{}"}}
        message = {"role": "assistant", "reasoning_content": reasoning, "content": content, "tool_calls": [call]}
        wrote = '<think>\nR\n</think>\n\nC\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
        assert render([message]) == f"<|im_start|>assistant\n{wrote}<|im_end|>\n"


class TestStripping:
    LOOP: tuple[dict[str, Any], ...] = (
        {"role": "user", "content": "5 + 3?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "I add.",
            "tool_calls": [{"function": ADD["function"]}],
        },
        {"role": "tool", "content": "8"},
        {"role": "assistant", "content": "8", "reasoning_content": "Done."},
    )

    def test_reasoning_is_there_while_its_message_is_the_last(self) -> None:
        assert render(list(self.LOOP[:2]), name=STRIPPING) == render(list(self.LOOP[:2]))

    @pytest.mark.parametrize("end", [3, 4])
    def test_reasoning_is_gone_once_another_message_follows(self, end: int) -> None:
        messages = list(self.LOOP[:end])
        assert render(messages, name=STRIPPING) == render(messages).replace("<think>\nI add.\n</think>\n\n", "")
        assert len(encode(render(messages, name=STRIPPING))) < len(encode(render(messages)))

    def test_an_answered_prompt_does_not_start_the_next_one(self) -> None:
        past = render(list(self.LOOP[:1]), name=STRIPPING, prompt=True) + turn_text(self.LOOP[1] | {"tool_calls": []})
        assert not render(list(self.LOOP[:3]), name=STRIPPING, prompt=True).startswith(past.removesuffix("<|im_end|>"))

    @unhurried
    @given(chats, tools_or_none, st.booleans())
    def test_without_reasoning_both_templates_agree(self, messages: Messages, tools: Any, prompt: bool) -> None:
        plain = [{key: message[key] for key in message if "reasoning" not in key} for message in messages]
        assert render(plain, tools=tools, prompt=prompt) == render(plain, name=STRIPPING, tools=tools, prompt=prompt)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
odd_parts = st.builds(lambda kind, text: {"type": kind, "text": text}, anything, anything)
odd_functions = st.fixed_dictionaries({}, optional={"name": anything, "arguments": anything, "parameters": anything})
odd_messages = st.fixed_dictionaries(
    {},
    optional={
        "role": anything | st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"]),
        "content": anything | st.lists(odd_parts, max_size=3),
        "reasoning_content": anything,
        "reasoning": anything,
        "tool_calls": anything
        | st.lists(st.builds(lambda function: {"function": function}, odd_functions), max_size=3),
    },
)


class TestTotality:
    @BOTH
    @unhurried
    @given(messages=st.lists(odd_messages, max_size=4), tools=st.lists(anything | odd_functions, max_size=3))
    def test_every_conversation_renders(self, name: str, messages: Messages, tools: list[Any]) -> None:
        assert render(messages, name=name, tools=tools, prompt=True).endswith("<|im_start|>assistant\n")

    @pytest.mark.parametrize(
        ("message", "rendered"),
        [
            ({"role": "user", "content": "hi"}, "<|im_start|>user\nhi<|im_end|>\n"),
            ({"role": "system", "content": "hi"}, "<|im_start|>system\nhi<|im_end|>\n"),
            ({"role": "developer", "content": "hi"}, "<|im_start|>system\nhi<|im_end|>\n"),
            ({"role": "critic", "content": "hi"}, "<|im_start|>critic\nhi<|im_end|>\n"),
            ({"content": "hi"}, "<|im_start|>user\nhi<|im_end|>\n"),
            ({"role": "user"}, "<|im_start|>user\n<|im_end|>\n"),
            ({"role": "user", "content": None}, "<|im_start|>user\n<|im_end|>\n"),
            ({"role": "user", "content": 8}, "<|im_start|>user\n8<|im_end|>\n"),
            ({"role": "user", "content": {"type": "text", "text": "hi"}}, "<|im_start|>user\nhi<|im_end|>\n"),
            ({"role": "user", "content": ["a", {"text": "b"}]}, "<|im_start|>user\nab<|im_end|>\n"),
            (
                {"role": "user", "content": [{"type": "image_url"}, 1]},
                "<|im_start|>user\n[image_url][part]<|im_end|>\n",
            ),
            ({"role": "tool", "content": "8"}, "<|im_start|>user\n<tool_response>\n8\n</tool_response><|im_end|>\n"),
            (
                {"role": "function", "content": "8"},
                "<|im_start|>user\n<tool_response>\n8\n</tool_response><|im_end|>\n",
            ),
            ({"role": "assistant", "tool_calls": None, "content": "8"}, "<|im_start|>assistant\n8<|im_end|>\n"),
            ({"role": "assistant", "reasoning_content": "", "content": "8"}, "<|im_start|>assistant\n8<|im_end|>\n"),
        ],
    )
    def test_one_message(self, message: dict[str, Any], rendered: str) -> None:
        assert render([message]) == render([message], name=STRIPPING) == rendered

    @pytest.mark.parametrize(
        ("messages", "rendered"),
        [
            ([], "<|im_start|>system\n<tools>\nadd(a, b)\nnow()\n</tools><|im_end|>\n"),
            (
                [{"role": "system", "content": "S"}],
                "<|im_start|>system\nS\n<tools>\nadd(a, b)\nnow()\n</tools><|im_end|>\n",
            ),
            (
                [{"role": "user", "content": "U"}, {"role": "system", "content": "S"}],
                "<|im_start|>system\n<tools>\nadd(a, b)\nnow()\n</tools><|im_end|>\n"
                "<|im_start|>user\nU<|im_end|>\n<|im_start|>system\nS<|im_end|>\n",
            ),
        ],
    )
    def test_tools_stand_at_the_end_of_the_first_system_message(self, messages: Messages, rendered: str) -> None:
        assert render(messages, tools=TOOLS) == rendered

    def test_consecutive_tool_messages_share_a_turn(self) -> None:
        results = [{"role": "tool", "content": "8"}, {"role": "function", "content": "9"}]
        assert render(results) == (
            "<|im_start|>user\n<tool_response>\n8\n</tool_response>\n<tool_response>\n9\n</tool_response><|im_end|>\n"
        )


class TestFiles:
    def test_one_command_makes_them_again_byte_for_byte(self, tmp_path: Path) -> None:
        write(tmp_path)
        for variant in VARIANTS:
            made, shipped = tmp_path / variant.directory, SCENARIOS / variant.directory
            assert {file.name: file.read_bytes() for file in shipped.iterdir()} == {
                file.name: file.read_bytes() for file in made.iterdir()
            }

    def test_the_corpus_depends_on_its_seed_alone(self) -> None:
        assert list(conversations(SEED, 50)) == list(conversations(SEED, 50)) != list(conversations(SEED + 1, 50))
        assert list(conversations(SEED, 50)) == list(conversations(SEED, CONVERSATIONS))[:50]

    @BOTH
    def test_the_card_names_the_hash_of_every_other_file(self, name: str) -> None:
        told = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", (SCENARIOS / name / "README.md").read_text(), re.MULTILINE))
        others = [file for file in (SCENARIOS / name).iterdir() if file.name != "README.md"]
        assert told == {sha256(file.read_bytes()).hexdigest(): file.name for file in others}

    @BOTH
    def test_the_template_is_the_same_in_both_places(self, name: str) -> None:
        config = json.loads((SCENARIOS / name / "tokenizer_config.json").read_text(encoding="utf-8"))
        assert config["chat_template"] == (SCENARIOS / name / "chat_template.jinja").read_text(encoding="utf-8")
        assert (config["eos_token"], config["pad_token"]) == ("<|im_end|>", "<|endoftext|>")

    def test_both_directories_hold_one_tokenizer(self) -> None:
        files = [(SCENARIOS / name / "tokenizer.json").read_bytes() for name in (KEEPING, STRIPPING)]
        assert files[0] == files[1]
