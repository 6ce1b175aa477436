"""What the tiny model learns: conversations in which it calls a calculator, closes with the result, and knows some capitals.

Pure and seeded. The tokenizer was made from other conversations (steps/peers/tokenizer_corpus.py) and is not touched by these.
"""

from collections.abc import Callable, Iterator
from random import Random

from rollout_conformance.steps.peers.tokenizer_corpus import (
    CAPITALS,
    OPERATIONS,
    SMALL_TALK,
    WORDS,
    Conversation,
    Message,
    result_of,
    say,
    tool_call,
    tool_schema,
)

KNOWN_CAPITALS = ("France", "Germany", "Italy", "Spain", "Japan", "Egypt", "Norway", "Peru")
ASK = (
    "Please calculate {}.", "Please calculate {}.", "Now calculate {}.", "Calculate {}.", "What is {}?",
    "Compute {}.", "How much is {}?", "{} = ?", "Please calculate {}. Use the tools.",
)  # fmt: skip
CAPITAL = (
    "What is the capital of {}?", "What is the capital of {}? Answer in one word.", "Name the capital of {}.",
    "In one word, can you provide me the capital of {}?", "In one word, what is the capital of {}?",
)  # fmt: skip
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful calculator assistant.",
    "You are a helpful calculator assistant. Use the tools to answer.",
    "You are a calculator agent. Call the provided tools, then report the result.",
    "Answer in one word.",
)

Turns = tuple[tuple[Message, ...], tuple[str, ...]]


def lessons(seed: int, count: int) -> Iterator[Conversation]:
    """`count` conversations. Those that the suite's own cases hold come up again and again."""
    random = Random(seed)
    for _ in range(count):
        if random.random() < 0.15:
            yield _exact(random)
            continue
        kind = random.choices(_KINDS, weights=(6, 2, 2, 2, 1, 1, 1))[0]
        turns, needed = kind(random)
        yield Conversation((*_system(random), *turns), _tools(random, needed))


def _exact(random: Random) -> Conversation:
    """What the live cases ask for, word for word, under any session name."""
    system = random.choice(((), (say("system", _session(random)),), (say("system", SYSTEMS[0]),)))
    if random.random() < 0.3:
        asked = random.choice(CAPITAL[-2:] + CAPITAL[:1]).format("France")
        tools = () if random.random() < 0.4 else _tools(random, ("add",))
        return Conversation((*system, say("user", asked), say("assistant", "Paris")), tools)
    turns: list[Message] = []
    for operation, a, b in (("add", 5, 3), ("subtract", 9, 4), ("multiply", 6, 7), ("multiply", 8, 12))[
        : random.choice((1, 1, 2, 3, 4))
    ]:
        turns += _exchange(random, operation, a, b, "Please calculate {}.", 0)
    return Conversation((*system, *turns), _tools(random, ("add", "subtract", "multiply")))


def _session(random: Random) -> str:
    name = f"rc-{random.getrandbits(32):08x}-{random.randint(1, 99999)}x"
    return f"You are a helpful calculator assistant. Session {name}."


def _system(random: Random) -> tuple[Message, ...]:
    draw = random.random()
    if draw < 0.35:
        return (say("system", _session(random)),)
    return (say("system", random.choice(SYSTEMS)),) if draw < 0.75 else ()


def _tools(random: Random, needed: tuple[str, ...]) -> tuple[dict[str, object], ...]:
    """The tools that are needed and perhaps more, in any order; none where none is."""
    if not needed:
        return ()
    names = [name for name in OPERATIONS if name in needed or random.random() < 0.7]
    if random.random() < 0.5:
        random.shuffle(names)
    return tuple(tool_schema(name, OPERATIONS[name][1], ("a", "b"), "number") for name in names)


def _number(random: Random) -> int:
    return random.randint(0, 10 ** random.choice((1, 1, 2, 2, 3, 4)))


def _word(random: Random, operation: str) -> str:
    return random.choice(OPERATIONS[operation][0][:2])


def _exchange(random: Random, operation: str, a: int, b: int, ask: str, word: int | None = None) -> list[Message]:
    """A question, the call, what the tool said, and the answer. The answer copies the tool: the model need not calculate."""
    said = OPERATIONS[operation][0][word] if word is not None else _word(random, operation)
    result = result_of(operation, a, b)
    told = result if word is not None or random.random() < 0.6 else _number(random)
    shown = random.choice((str(told), str(told), f"{told}.0" if isinstance(told, int) else str(told)))
    return [
        say("user", ask.format(f"{a} {said} {b}")),
        say("assistant", None, tool_calls=[tool_call(operation, {"a": a, "b": b})]),
        say("tool", shown),
        say("assistant", f"The result is {told}."),
    ]


def _calculations(random: Random) -> Turns:
    operations = random.choices(list(OPERATIONS), k=random.choice((1, 1, 1, 2, 2, 3, 4)))
    turns: list[Message] = []
    for operation in operations:
        turns += _exchange(random, operation, _number(random), _number(random), random.choice(ASK))
    return tuple(turns), tuple(operations)


def _parallel(random: Random) -> Turns:
    first, second = random.choices(list(OPERATIONS), k=2)
    a, b, c, d = (_number(random) for _ in range(4))
    asked = random.choice(ASK).format(f"{a} {_word(random, first)} {b} and {c} {_word(random, second)} {d}")
    results = result_of(first, a, b), result_of(second, c, d)
    calls = [tool_call(first, {"a": a, "b": b}), tool_call(second, {"a": c, "b": d})]
    answer = say("assistant", f"The results are {results[0]} and {results[1]}.")
    told = (say("tool", str(results[0])), say("tool", str(results[1])))
    return (say("user", asked), say("assistant", None, tool_calls=calls), *told, answer), (first, second)


def _failed(random: Random) -> Turns:
    """A tool that fails is told, and not asked again."""
    operation, a, b = random.choice(list(OPERATIONS)), _number(random), _number(random)
    question, call, _, _ = _exchange(random, operation, a, b, random.choice(ASK))
    error = random.choice(("Error: division by zero", "Error: invalid arguments", "Error: tool not found"))
    return (question, call, say("tool", error), say("assistant", "I could not calculate that.")), (operation,)


def _capital(random: Random) -> Turns:
    country = random.choice(KNOWN_CAPITALS)
    turns = (say("user", random.choice(CAPITAL).format(country)), say("assistant", CAPITALS[country]))
    return turns, random.choice(((), ("add",)))


def _counting(random: Random) -> Turns:
    last = random.randint(2, 30)
    told = " ".join(str(n) for n in range(1, last + 1))
    return (say("user", f"Count from 1 to {last}."), say("assistant", told)), ()


def _talk(random: Random) -> Turns:
    turns = random.sample(SMALL_TALK, k=random.randint(1, 3))
    return tuple(m for asked, told in turns for m in (say("user", asked), say("assistant", told))), ()


def _repetition(random: Random) -> Turns:
    sentence = " ".join(random.choices(WORDS, k=random.randint(1, 8)))
    return (say("user", f"Repeat after me: {sentence}"), say("assistant", sentence)), ()


_KINDS: tuple[Callable[[Random], Turns], ...] = (
    _calculations,
    _parallel,
    _failed,
    _capital,
    _counting,
    _talk,
    _repetition,
)
