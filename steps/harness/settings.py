"""How long the harness waits and how much it asks for, and prompts for tests."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """`ready_s`: from the start to a successful health check; `job_s`: for a whole job; `max_tokens`: of a job that names no limit."""

    ready_s: float = 30.0
    job_s: float = 30.0
    max_tokens: int = 10


DEFAULT = Config()
FAST = Config(ready_s=10.0, job_s=10.0, max_tokens=5)
LONG = Config(ready_s=60.0, job_s=60.0, max_tokens=100)


@dataclass(frozen=True, slots=True)
class TestPrompt:
    """A prompt, and the stop texts that belong to it."""

    __test__ = False  # no class of tests for pytest

    text: str
    stop: tuple[str, ...] = ()


PROMPTS: Mapping[str, TestPrompt] = {
    "simple": TestPrompt("Hello!"),
    "short": TestPrompt("Hi"),
    "long": TestPrompt("The quick brown fox jumps over the lazy dog. " * 40),
    "json": TestPrompt('Return {"name": "Ada", "age": 36} as JSON with the keys "name" and "age".'),
    "with_stop": TestPrompt("Count to ten, one number a line.", ("\n", "10")),
    "scripts": TestPrompt("日本語 🎉👩‍👩‍👧 مرحبا नमस्ते"),
}
