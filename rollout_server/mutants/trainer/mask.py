"""Defects of the check of the response mask."""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    response_mask,
)


def _unmasked(original: Any, given: Any, lengths: Any, *, turns: int) -> None:
    if given is not None:
        original(given, lengths, turns=turns)


def _any_length(original: Any, given: Any, lengths: Any, *, turns: int) -> None:
    if given is None or not turns:
        original(given, lengths, turns=turns)


def _any_values(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    given = body.get("response_mask")
    bits = {"response_mask": [0 for _ in given]} if isinstance(given, list) and given else {}
    original(model, {**body, **bits})


MUTANTS = (
    Mutant(
        "no_mask_needed",
        breaks="185",
        what="a missing mask is accepted",
        patch=around(response_mask, "check", _unmasked),
        dialects=SYNC,
    ),
    Mutant(
        "any_length",
        breaks="185",
        what="a mask may have any length",
        patch=around(response_mask, "check", _any_length),
        dialects=SYNC,
    ),
    Mutant(
        "any_values",
        breaks="186",
        what="a mask may have any values",
        patch=around(endpoints, "validate", _any_values),
        dialects=SYNC,
    ),
)
