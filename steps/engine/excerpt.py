"""The part of a body that a finding is about: the accused member with what stands around it, the accused event of a stream with its neighbours.

Pure text, and linear in the body. What the finding says (`choices[1].stop_reason`, `event 3`, a quoted value) leads to the place; a body in
which nothing of it is found is shown by its beginning and its end.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.trace import parse

WIDTH = 200  # characters of an excerpt
PROOF = 700  # characters of one in which all quoted values stand
PLACES = 12  # at which quoted values stand
SMALL = 140  # characters of an object that is shown whole
AROUND = 1  # events of a stream before and after the accused one
ITEMS = 16  # of a list, from its end, in which a member is looked for
NEEDLES = 8  # quoted values that are looked for
HIDDEN = "..."
PATH = re.compile(r"(?:[A-Za-z_]\w*|\[\d{1,6}\])(?:\.[A-Za-z_]\w*|\[\d{1,6}\])*")
STEP = re.compile(r"[A-Za-z_]\w*|\[\d{1,6}\]")
NUMBERED = re.compile(r"\b(?:event|chunk) (\d{1,6})\b")
QUOTED = re.compile(r'"((?:[^"\\]|\\.){3,200}+)"')
EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
SHARE_OF_CONTROLS = 0.05
LOOKED_AT, BYTES_SHOWN = 256, 24  # bytes of a body that is no text
LONGEST = 256 << 10  # bytes of a body in which an excerpt is looked for

Step = str | int
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Clues:
    """Where the text of a finding points: paths of members, numbers of events, and values that it quotes."""

    paths: tuple[Path, ...]
    events: tuple[int, ...]
    quoted: tuple[str, ...]

    @classmethod
    def of(cls, *texts: str) -> "Clues":
        text = "\n".join(texts)[:4096]
        found = sorted({_steps(word) for word in PATH.findall(text)}, key=len, reverse=True)
        quoted = tuple(dict.fromkeys(QUOTED.findall(text)))[:NEEDLES]
        return cls(tuple(found), tuple(int(n) for n in NUMBERED.findall(text)), quoted)


def _steps(word: str) -> Path:
    return tuple(int(step[1:-1]) if step.startswith("[") else step for step in STEP.findall(word))


def lines(body: bytes, clues: Clues) -> list[str]:
    """The excerpt, a line each; one line but for a stream."""
    head = body[:LONGEST]
    if head.lstrip().startswith((b"data:", b"event:", b"id:", b":", b"retry:")):
        return _events(head, clues)
    value = parse(body) if len(body) <= LONGEST else None
    if isinstance(value, dict | list):
        return [_json(value, clues)]
    if _is_binary(head[:LOOKED_AT]):
        return [_binary(body)]
    return [_around(head.decode("utf-8", "replace"), clues.quoted)]


def _is_binary(head: bytes) -> bool:
    """Whether so many bytes are control characters that a text with a slip is not meant."""
    return len(CONTROLS.findall(head)) > len(head) * SHARE_OF_CONTROLS


def _binary(body: bytes) -> str:
    """What is no text, such as protobuf: its length and its beginning; the finding says what it means."""
    rest = " ..." if len(body) > BYTES_SHOWN else ""
    return f"{len(body)} bytes that are no text: {body[:BYTES_SHOWN].hex(' ')}{rest}"


def _events(body: bytes, clues: Clues) -> list[str]:
    events = [part for part in EVENT_END.split(body) if part.strip()]
    wanted = _wanted(events, clues)
    numbers = sorted({n for at in wanted for n in range(at - AROUND, at + AROUND + 1) if 0 <= n < len(events)})
    shown = [f"event {n}: {_event(events[n], clues)}" for n in numbers]
    hidden = len(events) - len(numbers)
    return [*shown, *([f"({hidden} more events)"] if hidden else [])]


def _wanted(events: Sequence[bytes], clues: Clues) -> list[int]:
    """The events that the finding names, else the first in which a value that it quotes stands, else the last."""
    named = [n for n in clues.events if n < len(events)]
    if named:
        return named[:2]
    needles = [json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass") for text in clues.quoted]
    holds = (n for n, event in enumerate(events) if any(needle in event for needle in needles))
    return [next(holds, len(events) - 1)]


def _event(event: bytes, clues: Clues) -> str:
    value = parse(event.strip().removeprefix(b"data:").strip())
    if isinstance(value, dict):
        return _json(value, clues)
    return _around(event.decode("utf-8", "replace"), clues.quoted)


def _json(value: object, clues: Clues) -> str:
    """`value` folded around the members that the clues lead to, all of it when it is short."""
    whole = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)
    if len(whole) <= WIDTH:
        return whole
    paths = _leading(value, clues.paths, clues.quoted)
    direct = any(_depth(value, path) > 1 for path in clues.paths)
    if not direct and (holding := _holding(value, clues.quoted)):
        text = folded(value, holding)
        return text if len(text) <= PROOF else _cut(text, clues.quoted)
    if paths:
        return _cut(folded(value, paths), clues.quoted)
    return _around(whole, clues.quoted)


def _holding(value: object, quoted: Iterable[str]) -> list[Path]:
    """Where values stand that the finding quotes, in their order; each with the object around it where that is small."""
    texts = {_unescaped(one) for one in quoted}
    found: list[Path] = []
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting and len(found) < PLACES:
        path, one = waiting.pop()
        if isinstance(one, str) and one in texts:
            found.append(_around_leaf(value, path))
        elif isinstance(one, dict):
            waiting += [((*path, name), inner) for name, inner in reversed(one.items())]
        elif isinstance(one, list):
            waiting += [((*path, n), inner) for n, inner in reversed(list(enumerate(one)))]
    places = list(dict.fromkeys(found))
    return [one for one in places if not any(one != other and one[: len(other)] == other for other in places)]


def _around_leaf(value: object, path: Path) -> Path:
    """The path of the object that a value stands in, where that is small enough to be shown whole: what is beside the value belongs to it."""
    around = value
    for step in path[:-1]:
        around = _member(around, step)
    small = len(json.dumps(around, ensure_ascii=False, default=repr)) <= SMALL
    return path[:-1] if len(path) > 1 and isinstance(around, dict) and small else path


def _unescaped(text: str) -> str:
    """A quoted text as the value that it stands for."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def accused(value: object, clues: Clues) -> list[Path]:
    """The members of `value` that a finding is about: where a viewer of the body has to look."""
    return _leading(value, clues.paths, clues.quoted)


def _leading(value: object, paths: Iterable[Path], quoted: Sequence[str]) -> list[Path]:
    """The paths that lead to something in `value`, the longest first; those that begin within it count from where they fit."""
    found: list[Path] = []
    direct = any(_depth(value, path) > 1 for path in paths)
    for path in paths:
        whole = path if _depth(value, path) else None
        if whole is None and not direct:
            whole = _best(value, list(_within(value, path)), quoted)
        if whole and not any(known[: len(whole)] == whole for known in found):
            found.append(whole)
    longest = max((len(path) for path in found), default=0)
    return [path for path in found if len(path) == longest][:3] if longest > 1 else found[:3]


def _best(value: object, places: Sequence[Path], quoted: Iterable[str]) -> Path | None:
    """The place at which a quoted value stands, else the first."""
    holding = (place for place in places if any(text in folded(value, [place]) for text in quoted))
    return next(holding, places[0] if places else None)


def _depth(value: object, path: Path) -> int:
    """How many steps of `path` lead somewhere."""
    for n, step in enumerate(path):
        value = _member(value, step)
        if value is ABSENT:
            return n
    return len(path)


def _member(value: object, step: Step) -> object:
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return ABSENT


def _within(value: object, path: Path) -> Iterable[Path]:
    """`[2].content` and `tool_calls` are said of the messages or the choice: the place in a member of `value` where they fit."""
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        if isinstance(member, list) and member:
            if isinstance(path[0], int) and _depth(member, path):
                yield (name, *path)
            for n in range(len(member) - 1, max(-1, len(member) - 1 - ITEMS), -1):
                item = member[n]
                if not isinstance(item, dict):
                    continue
                for inner in ((), ("message",), ("delta",)):
                    if isinstance(path[0], str) and _depth(item, (*inner, path[0])) == len(inner) + 1:
                        yield (name, n, *inner, *path)


def folded(value: object, paths: Sequence[Path]) -> str:
    """JSON in which only the members on the way of `paths` are written out."""
    if any(not path for path in paths):
        return show(value)
    if isinstance(value, dict):
        return _folded_object(value, paths)
    if isinstance(value, list):
        return _folded_list(value, paths)
    return show(value)


def _folded_object(value: dict[str, object], paths: Sequence[Path]) -> str:
    parts: list[str] = []
    for name, member in value.items():
        inner = [path[1:] for path in paths if path[0] == name]
        parts.append(f"{json.dumps(name, ensure_ascii=False)}:{folded(member, inner)}" if inner else HIDDEN)
    absent = sorted({str(path[0]) for path in paths if path[0] not in value})
    if absent:  # what is there instead is what one wants to see
        return f"{show(value)} (no {', '.join(absent)})"
    return "{" + ",".join(_joined(parts)) + "}"


def _folded_list(value: list[object], paths: Sequence[Path]) -> str:
    inner = {n: [path[1:] for path in paths if path[0] == n] for n in range(len(value))}
    parts = [f"[{n}] {folded(item, inner[n])}" if inner[n] else HIDDEN for n, item in enumerate(value)]
    return "[" + ",".join(_joined(parts)) + "]"


def _joined(parts: Iterable[str]) -> list[str]:
    """Several hidden members in a row are one `...`."""
    kept: list[str] = []
    for part in parts:
        if part != HIDDEN or kept[-1:] != [HIDDEN]:
            kept.append(part)
    return kept


def _around(text: str, quoted: Iterable[str]) -> str:
    return _cut(text, quoted) if len(text) > WIDTH else text


def _cut(text: str, quoted: Iterable[str]) -> str:
    """At most `WIDTH` characters and two marks, around the first quoted value that stands in the text."""
    if len(text) <= 2 * WIDTH:
        return text
    places = (text.find(needle) for needle in quoted)
    at = next((place for place in places if place >= 0), None)
    if at is None:
        return f"{text[: WIDTH // 2]} {HIDDEN} {text[-WIDTH // 2 :]}"
    start = max(0, at - WIDTH // 2)
    return f"{HIDDEN if start else ''}{text[start : start + WIDTH]}{HIDDEN if start + WIDTH < len(text) else ''}"
