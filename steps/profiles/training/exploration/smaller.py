"""A walk with one call less, for the model that walked and for the plain one together."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.profiles.parts import Document
from rollout_conformance.steps.profiles.training.exploration.program import OTHER, PLAIN

ALONE = ("forward", "sample", "resend")  # calls that change nothing


def smaller(document: Document) -> Iterator[Document]:
    """The document without one call that the plain model does not make either. What numbers other calls is left alone."""
    (case,) = document["cases"]
    if any("seq" in _members(step) for step in case["steps"]):
        return
    for n, step in enumerate(case["steps"]):
        if _spare(step):
            made: dict[str, Any] = copy.deepcopy(dict(document))
            del made["cases"][0]["steps"][n]
            _forget(made["cases"][0], _members(step).get("name"))
            if not _dangling(made["cases"][0]["steps"]):
                yield made


def _spare(step: Any) -> bool:
    verb = step if isinstance(step, str) else next(iter(step))
    members = _members(step)
    if members.get("model") == PLAIN or verb in ("create_model", "measure"):
        return False
    no_weight = members.get("weights") == [0] or members.get("defect") is not None
    return verb in ALONE or no_weight or members.get("model") == OTHER or verb == "save"


def _forget(case: dict[str, Any], name: str | None) -> None:
    """Without the expectation on a call that is gone."""
    case["expect"] = [one for one in case["expect"] if name is None or name not in one.values()]


def _dangling(steps: list[Any]) -> bool:
    """Whether a step names a call or a checkpoint that is gone."""
    names = {_members(step).get("name") for step in steps}
    paths = {_members(step).get("path") for step in steps if "save" in step}
    return any("resend" in step and step["resend"]["of"] not in names for step in steps) or any(
        "load" in step and step["load"]["path"] not in paths for step in steps
    )


def _members(step: Any) -> Mapping[str, Any]:
    value = next(iter(step.values())) if isinstance(step, Mapping) else {}
    return value if isinstance(value, Mapping) else {}
