"""Makes the tokenizer that the project ships, byte for byte: `python -m rollout_conformance.steps.peers.make_tokenizer scenarios`.

Two directories come out, which differ in the chat template alone. Each can be loaded by `tokenizers` and `jinja2`, and
by `transformers.AutoTokenizer` from its path. Nothing at run time imports this module; it reads no file and no network.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from rollout_conformance.steps.peers.tokenizer_corpus import Conversation, conversations
from rollout_conformance.steps.peers.tokenizer_template import PREFIX_PRESERVING, STRIPPING, render

SEED = 0
CONVERSATIONS = 4000  # enough that the vocabulary fills up with words, few enough to train in about a second
VOCABULARY = 1536  # 24 * 64: small for a model of a million parameters, and no padding of its embedding is needed
MODEL_MAX_LENGTH = 32768  # longer than any case, so that a loader which truncates to it never does

END_OF_TEXT, TURN_START, TURN_END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Ordinary tokens, not special ones: decoding that skips special tokens must leave them for tool and reasoning parsers.
MARKUP = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")

# Every digit, every '}' and every newline stands alone. Digits, so that a number has as many tokens as digits; '}' and
# newline, because a guided decoder masks a token that crosses from the JSON of a tool call into its closing tag.
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"  # contractions
    r"|[^\r\n\p{L}\p{N}}]?\p{L}+"  # a word, with the one character before it
    r"|\p{N}|\}|[\r\n]"
    r"| ?[^\s\p{L}\p{N}}]+"  # punctuation
    r"|[^\S\r\n]+(?!\S)|[^\S\r\n]+"  # blanks, leaving the last one to the word that follows
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One directory: its name, its template and what its card says of the template."""

    directory: str
    template: str
    summary: str


VARIANTS = (
    Variant(
        "tokenizer",
        PREFIX_PRESERVING,
        "Its chat template preserves prefixes: a prompt, followed by the generated turn and a newline, is an exact\n"
        "prefix of every later rendering. Reasoning is kept in every assistant message.",
    ),
    Variant(
        "tokenizer_stripping",
        STRIPPING,
        "Its chat template removes reasoning: the reasoning of an assistant message is rendered only while that\n"
        "message is the last one. After a turn with reasoning the next prompt therefore does not start with the\n"
        "previous prompt and generation. Otherwise the template equals that of `../tokenizer`, and `tokenizer.json` is\n"
        "the same file.",
    ),
)


def corpus(seed: int = SEED, count: int = CONVERSATIONS) -> Iterator[str]:
    """The training text: rendered conversations, and the tools' schemas, without the tokens that are given."""
    given = re.compile("|".join(map(re.escape, SPECIAL + MARKUP)))
    for conversation in conversations(seed, count):
        yield from given.split(_text(conversation))


def _text(conversation: Conversation) -> str:
    schemas = "\n".join(map(json.dumps, conversation.tools))
    return render(PREFIX_PRESERVING, conversation.messages, conversation.tools) + schemas


def train() -> Tokenizer:
    """A byte-level BPE tokenizer of exactly `VOCABULARY` tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(_PIECES), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY - len(MARKUP),
        special_tokens=list(SPECIAL),
        initial_alphabet=ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in MARKUP])
    return tokenizer


def tokenizer_config(template: str) -> dict[str, object]:
    """What `transformers` reads. The template is also in its own file; some loaders know only one of the two places."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "model_max_length": MODEL_MAX_LENGTH,
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }


def files_of(variant: Variant, tokenizer: Tokenizer) -> dict[str, str]:
    """The files of one directory, by name."""
    files = {
        "tokenizer.json": tokenizer.to_str(pretty=True) + "\n",
        "tokenizer_config.json": _json(tokenizer_config(variant.template)),
        "special_tokens_map.json": _json({"eos_token": TURN_END, "pad_token": END_OF_TEXT}),
        "chat_template.jinja": variant.template,
    }
    return {**files, "README.md": card(variant, tokenizer, files)}


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def card(variant: Variant, tokenizer: Tokenizer, files: dict[str, str]) -> str:
    """The README of one directory."""
    ids = "\n".join(f"- {tokenizer.token_to_id(token)} `{token}`, {_kind(token)}" for token in SPECIAL + MARKUP)
    hashes = "\n".join(f"{sha256(text.encode()).hexdigest()}  {name}" for name, text in sorted(files.items()))
    return _CARD.format(summary=variant.summary, vocabulary=VOCABULARY, ids=ids, hashes=hashes)


def _kind(token: str) -> str:
    return "special" if token in SPECIAL else "added"


_CARD = """\
# A tiny tokenizer for tests

A byte-level BPE tokenizer of {vocabulary} tokens with a ChatML template, for judging rollout servers without access to
a model hub. {summary}

It is small and completely known, and it is not optimised for compression: text that is unlike its training text needs
about one token per byte. It is not the tokenizer of any published model.

## Loading it

Use `transformers.AutoTokenizer.from_pretrained("/path/to/this/directory")`, or `tokenizers.Tokenizer.from_file` for
`tokenizer.json` and jinja2 for `chat_template.jinja`. With plain jinja2, configure it as `transformers` does: an
`ImmutableSandboxedEnvironment` with `trim_blocks` and `lstrip_blocks`, and `json.dumps(value, ensure_ascii=False)` as
the filter `tojson`. The `tojson` of jinja2 itself sorts keys and escapes `<`, `>`, `&` and `'`.

## Tokens

{ids}

A turn ends with `<|im_end|>`, the end-of-sequence token; `<|endoftext|>` is the padding token. Encoding adds no tokens
before or after a text and does not normalise it, so that decoding restores every text exactly. Every digit 0 to 9,
every `}}` and every newline is a token of its own.

The text of a token in this list is always encoded as that token, also inside a message or a tool result. Decoding with
`skip_special_tokens` removes special tokens and keeps added ones.

## Template

- `system`, `user` and unknown roles: `<|im_start|>ROLE\\n` content `<|im_end|>\\n`. `developer` is rendered as
  `system`, a missing role as `user`. No default system message is added.
- Tools, if any, are listed as `<tools>\\nname(argument, argument)\\n</tools>`, at the end of the first message if that is
  a system message, otherwise in an additional system message before all others.
- `assistant`: reasoning as `<think>\\n` reasoning `\\n</think>\\n\\n`, then content, then each tool call as
  `<tool_call>\\n{{"name": "add", "arguments": {{"a": 5, "b": 3}}}}\\n</tool_call>`, separated by newlines. Reasoning is
  the first string among `reasoning_content`, `thinking` and `reasoning`. A newline is not added where the adjacent text
  already has one. `function_call` is not rendered.
- Arguments: a string is inserted unchanged, an object as JSON with its keys in the given order, absent arguments as `{{}}`.
- `tool` and `function`: consecutive messages share one user turn: `<|im_start|>user`, then for each message
  `\\n<tool_response>\\n` content `\\n</tool_response>`, then `<|im_end|>\\n`.
- Content is a string, null, absent, or a list of parts. The texts of a list are concatenated without a separator; any other
  part is rendered as `[type]`.

## How it was made

`python -m rollout_conformance.steps.peers.make_tokenizer scenarios` trains it on seeded synthetic conversations, with `tokenizers` 0.23. The
same command produces the same files, byte for byte:

```
{hashes}
```
"""


def write(root: Path) -> None:
    """Both directories, under `root`."""
    tokenizer = train()
    for variant in VARIANTS:
        directory = root / variant.directory
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files_of(variant, tokenizer).items():
            (directory / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
