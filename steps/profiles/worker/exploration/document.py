"""A walk as a scenario: a job before it and the same job after it have equal output, whatever came between."""

from collections.abc import Iterator, Sequence
from typing import Any

from rollout_conformance.steps.profiles.parts import Document

Item = dict[str, Any] | str
REQUIREMENTS = ("WORKER-047", "WORKER-005", "WORKER-006", "WORKER-009")
USUAL = {"prompt": "Tell me a story.", "max_tokens": 12}
LONG = {"prompt": "Tell me a long story.", "max_tokens": 150}
SHORT = {"prompt": "Hello!", "max_tokens": 6}
WRONG = {
    "prompt": "Hello!",
    "body": {"max_tokens": -5, "sampling_params": "none", "parameters": "none", "n_predict": "none"},
}


def scenario(dialect: str, steps: Sequence[Item], expect: Sequence[Item]) -> Document:
    """The scenario of these steps, between two equal jobs."""
    case = {
        "name": "a walk",
        "requirements": list(REQUIREMENTS),
        "dialects": [dialect],
        "steps": [
            {"execute": {"name": "before", **USUAL}},
            *steps,
            "wait_for_jobs",
            {"execute": {"name": "after", **USUAL}},
        ],
        "expect": [{"same_output": ["before", "after"]}, *expect],
    }
    return {"cases": [case]}


def executed(name: str, job: dict[str, Any], **more: Any) -> Item:
    """A job in the background."""
    return {"execute": {"name": name, **job, **more, "background": True}}


def smaller(document: Document) -> Iterator[Document]:
    """The scenario without one step or one expectation, but for the two equal jobs. Where a later step needs it, it is no scenario, and is left
    out by the compiler."""
    (case,) = document["cases"]
    for member in ("steps", "expect"):
        for n, item in enumerate(case[member]):
            if not _is_frame(item):
                yield {"cases": [{**case, member: [*case[member][:n], *case[member][n + 1 :]]}]}


def _is_frame(item: Item) -> bool:
    if isinstance(item, str):
        return True
    job = item.get("execute")
    return "same_output" in item or (isinstance(job, dict) and job.get("name") in ("before", "after"))
