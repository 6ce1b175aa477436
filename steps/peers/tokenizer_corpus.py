"""Synthetic conversations, made from a seed: the only text that the project's own tokenizer has ever seen.

Calculations with and without tools, capitals, small talk and repetition; about the vocabulary of the cases that the
suite plays. They are ordinary chat messages, so that a model can be trained on the same conversations. Pure: the same
seed gives the same conversations, and nothing is read or written.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

Message = dict[str, object]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a template renders: messages and, where the agent has any, tools."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, object], ...] = ()


CAPITALS = {
    "Austria": "Vienna", "Brazil": "Brasília", "Canada": "Ottawa", "Chile": "Santiago", "Cuba": "Havana",
    "Denmark": "Copenhagen", "Egypt": "Cairo", "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin",
    "Greece": "Athens", "India": "New Delhi", "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo",
    "Kenya": "Nairobi", "Norway": "Oslo", "Peru": "Lima", "Poland": "Warsaw", "Portugal": "Lisbon",
    "Spain": "Madrid", "Sweden": "Stockholm",
}  # fmt: skip

# name -> (how people say it, what it does)
OPERATIONS = {
    "add": (("plus", "+", "added to"), "Adds two numbers and returns their sum."),
    "subtract": (("minus", "-", "less"), "Subtracts the second number from the first."),
    "multiply": (("times", "*", "multiplied by"), "Multiplies two numbers and returns their product."),
    "divide": (("divided by", "/", "over"), "Divides the first number by the second."),
}
OTHER_TOOLS = {
    "get_weather": ("city", "unit"), "search": ("query", "limit"), "read_file": ("path",), "get_time": ("timezone",),
    "calculator": ("expression",), "run_python": ("code", "timeout"),
}  # fmt: skip

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful calculator assistant. Use the tools to answer.",
    "You are a calculator agent. Call the provided tools, then report the result.",
    "You are an agent. Think step by step, call one tool at a time and wait for its response.",
    "Answer in one word.",
    "Be brief and friendly.",
)
REQUESTS = (
    "Please calculate {}.", "Calculate {}.", "What is {}?", "Compute {} with the calculator.", "How much is {}?",
    "Could you work out {} for me?", "Now calculate {}.", "{} = ?",
)  # fmt: skip
CAPITAL_QUESTIONS = (
    "What is the capital of {}?", "In one word, can you provide me the capital of {}?", "Name the capital city of {}.",
)  # fmt: skip
SMALL_TALK = (
    ("Hello!", "Hello! How can I help you today?"),
    ("Hi there", "Hi! What would you like to know?"),
    ("Who are you?", "I am a very small model that was made for tests."),
    ("Thank you very much.", "You are welcome."),
    ("Good morning", "Good morning! It is nice to see you."),
    ("That's wrong, isn't it?", "I'm sorry, you're right. Let me try again."),
    ("Is the café open?", "Yes: the café is open, naïve as it sounds — from 9 to 5 °C or not."),
    ("Goodbye", "Goodbye! Have a nice day."),
)
ERRORS = (
    "Error: division by zero", "Error: tool not found", "Error: invalid arguments", "Error: timed out after 30 seconds",
    "Traceback (most recent call last):\n  File \"main.py\", line 1\nValueError: expected a number",
)  # fmt: skip
_WORDS = """
about after again air all also always and animal answer ask back because before begin between body book both boat
build call carry change children city close cold color come could country cut dark day different does down draw earth
eat end enough even every example eye face family far father feet few find fire first fish follow food form found
friend from garden give good great green ground group grow hand hard have head hear heavy help here high home horse
house idea island keep kind know land large last late learn leave letter life light like line list little live long
look made make many mean might mile money moon more morning most mother mountain move much music must name near never
next night north note number often old only open order other our over page paper part people place plan plant play
point press problem quick rain reach read real red rest right river road rock room round run same school sea second
see sentence set ship short should show simple size sky slow small snow some song soon sound south spell stand star
start state still stone stop story street strong study such summer sun table take talk tell than that their then there
these thing think though thought three through time together took town tree true try turn under until use very voice
wait walk want warm watch water way week well west what wheel when where which white while who wind winter with
without wood word work world would write year young
"""
WORDS = tuple(_WORDS.split())


def say(role: str, content: str | None, **more: object) -> Message:
    return {"role": role, "content": content, **more}


def tool_call(name: str, arguments: Mapping[str, object]) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def tool_schema(name: str, description: str, arguments: tuple[str, ...], kind: str) -> dict[str, object]:
    properties = {argument: {"type": kind} for argument in arguments}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def calculator_tools() -> tuple[dict[str, object], ...]:
    return tuple(tool_schema(name, what, ("a", "b"), "number") for name, (_, what) in OPERATIONS.items())


def conversations(seed: int, count: int) -> Iterator[Conversation]:
    """`count` conversations; about half of them use tools."""
    random = Random(seed)
    for _ in range(count):
        start = [say("system", random.choice(SYSTEM_PROMPTS))] if random.random() < 0.6 else []
        turns = random.choice(_KINDS)(random)
        yield Conversation((*start, *turns.messages), turns.tools)


def result_of(operation: str, a: int, b: int) -> int | float:
    if operation == "divide":
        return round(a / b, 2) if b else 0
    return {"add": a + b, "subtract": a - b, "multiply": a * b}[operation]


def _number(random: Random) -> int:
    return random.randint(0, 10 ** random.choice((1, 1, 2, 3, 5)))


def _sentence(random: Random, most: int = 12) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(2, most))).capitalize() + random.choice((".", ".", "!", "?"))


def _reasoning(random: Random, operation: str) -> dict[str, str]:
    """The reasoning of a third of the answers; the others have none."""
    if random.random() < 0.67:
        return {}
    thought = f"The user wants to {operation} two numbers. I should call the {operation} tool. {_sentence(random)}"
    return {"reasoning_content": f"Okay, let me think.\n{thought}"}


def _calculation(random: Random) -> Conversation:
    operation = random.choice(list(OPERATIONS))
    a, b = _number(random), _number(random)
    asked = random.choice(REQUESTS).format(f"{a} {random.choice(OPERATIONS[operation][0])} {b}")
    result = result_of(operation, a, b)
    observed = random.choice((str(result), str(result), json.dumps({"result": result}), random.choice(ERRORS)))
    call = say("assistant", "", tool_calls=[tool_call(operation, {"a": a, "b": b})], **_reasoning(random, operation))
    answer = say("assistant", f"The result is {result}.")
    return Conversation((say("user", asked), call, say("tool", observed), answer), calculator_tools())


def _parallel_calculation(random: Random) -> Conversation:
    first, second = random.choices(list(OPERATIONS), k=2)
    a, b, c, d = (_number(random) for _ in range(4))
    asked = f"Please calculate {a} {OPERATIONS[first][0][0]} {b} and {c} {OPERATIONS[second][0][0]} {d}."
    calls = [tool_call(first, {"a": a, "b": b}), tool_call(second, {"a": c, "b": d})]
    results = result_of(first, a, b), result_of(second, c, d)
    return Conversation(
        (
            say("user", asked),
            say("assistant", "I will call both tools.", tool_calls=calls),
            *(say("tool", str(result)) for result in results),
            say("assistant", f"The results are {results[0]} and {results[1]}."),
        ),
        calculator_tools(),
    )


def _other_tool(random: Random) -> Conversation:
    name = random.choice(list(OTHER_TOOLS))
    arguments = {argument: _sentence(random, 4) for argument in OTHER_TOOLS[name]}
    observed = json.dumps({"status": "ok", name: _sentence(random), "items": [_number(random), None, True, False]})
    return Conversation(
        (
            say("user", _sentence(random)),
            say("assistant", "", tool_calls=[tool_call(name, arguments)], **_reasoning(random, name)),
            say("tool", observed),
            say("assistant", f"I used {name}: {_sentence(random)}"),
        ),
        (tool_schema(name, _sentence(random), OTHER_TOOLS[name], "string"),),
    )


def _small_talk(random: Random) -> Conversation:
    turns = random.sample(SMALL_TALK, k=random.randint(1, 3))
    return Conversation(tuple(m for asked, told in turns for m in (say("user", asked), say("assistant", told))))


def _capital(random: Random) -> Conversation:
    country = random.choice(list(CAPITALS))
    asked = random.choice(CAPITAL_QUESTIONS).format(country)
    told = random.choice(("{1}", "The capital of {0} is {1}.")).format(country, CAPITALS[country])
    return Conversation((say("user", asked), say("assistant", told)))


def _repetition(random: Random) -> Conversation:
    sentence = _sentence(random, 20)
    return Conversation((say("user", f"Repeat after me: {sentence}"), say("assistant", sentence)))


def _record(random: Random) -> Conversation:
    """An answer that is an object of JSON, on one line or on many."""
    values = _number(random), _sentence(random, 3), True, None
    record = {key: random.choice(values) for key in random.sample(WORDS, k=4)}
    asked = f"Give me a JSON object with the keys {', '.join(record)}."
    return Conversation((say("user", asked), say("assistant", json.dumps(record, indent=random.choice((None, 2))))))


_KINDS = (_calculation, _calculation, _parallel_calculation, _other_tool, _small_talk, _capital, _repetition, _record)
