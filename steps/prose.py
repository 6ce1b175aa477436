"""The sentences in a file that people read: which parts of it they are, and on which line each stands.

A catalogue or OpenAPI document: its texts and comments. A scenario: the names of its cases. A feature: titles and descriptions. A
module: the sentences of its steps. Markdown: all but code.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

# The keys of a catalogue and of an OpenAPI document whose texts are prose. A source is a citation and stays as it is.
TEXTS = frozenset(
    {"sentence", "why", "judged", "not_judged", "accepts", "decision", "words", "dialects", "topics", "capabilities"}
    | {"title", "summary", "description"}
)
STEPS = frozenset({"given", "when", "then", "step", "phrase"})
COMMENTS = re.compile(r"(?m)^[ \t]*#.*(?:\n[ \t]*#.*)*")
FENCED = re.compile(r"(?ms)^( *)(```|~~~).*?^\1\2")
STEP_LINE = re.compile(r"(?:(?:Given|When|Then|And|But)\b|[*|@])")
QUOTES = '"""'


class _Untyped(yaml.CBaseLoader):
    """Makes nodes without a look at what kind of value each is, which takes most of the time."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose as it stands in its file, and the line that it begins on, from 1."""

    line: int
    text: str

    def line_of(self, at: int) -> int:
        return self.line + self.text.count("\n", 0, at)


def passages(file: Path) -> Iterator[Passage]:
    """The prose of a file. Raises `ValueError` for a kind of file that has none."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".yaml" and "scenarios" in file.parts:
        yield from _scalars(text, lambda path: len(path) == 3 and path[::2] == ("cases", "name"))
    elif file.suffix == ".yaml":
        yield from _scalars(text, lambda path: not TEXTS.isdisjoint(path))
        yield from _comments(text)
    elif file.suffix == ".feature":
        yield from _titles(text)
    elif file.suffix == ".py":
        yield from _steps(text)
    elif file.suffix == ".md":
        yield Passage(1, FENCED.sub(lambda block: "\n" * block[0].count("\n"), text))
    else:
        raise ValueError(f"{file}: prose is read in .yaml, .feature, .py and .md files")


def _scalars(text: str, is_prose: Callable[[tuple[str, ...]], bool]) -> Iterator[Passage]:
    root = yaml.compose(text, Loader=_Untyped)
    if root is not None:
        yield from _below(root, (), text, is_prose)


def _below(
    node: yaml.Node, path: tuple[str, ...], text: str, is_prose: Callable[[tuple[str, ...]], bool]
) -> Iterator[Passage]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _below(value, (*path, str(key.value)), text, is_prose)
    elif isinstance(node, yaml.SequenceNode):
        for n, item in enumerate(node.value):
            yield from _below(item, (*path, str(n)), text, is_prose)
    elif is_prose(path):
        yield Passage(node.start_mark.line + 1, text[node.start_mark.index : node.end_mark.index])


def _comments(text: str) -> Iterator[Passage]:
    for found in COMMENTS.finditer(text):
        yield Passage(1 + text.count("\n", 0, found.start()), found[0].replace("#", " "))


def _titles(text: str) -> Iterator[Passage]:
    """Whatever is no step, table, tag or text block."""
    in_block = False
    for n, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith(QUOTES):
            in_block = not in_block
        elif not in_block and line.strip() and not STEP_LINE.match(line.lstrip()):
            yield Passage(n, line)


def _steps(text: str) -> Iterator[Passage]:
    """The strings in the decorators that make a function or a class a step."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _name(decorator.func) in STEPS:
                    yield from (
                        Passage(part.lineno, part.value)
                        for part in ast.walk(decorator)
                        if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    )


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
