"""Defects of the recorded trajectory."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every
from rollout_conformance.rollout_server.trainer import (
    backend,
    prompt,
    session,
)
from rollout_conformance.rollout_server.trainer.backend import BuiltInBackend
from rollout_conformance.rollout_server.trainer.trajectory import Trajectory, Turn


def _grown(change: Any) -> Any:
    return around(session, "extended", change)


def _masks_tools(original: Any, before: Trajectory, turn: Turn, text: str, inserted_ids: Any) -> Trajectory:
    """From the second turn on, inserted tokens count as sampled."""
    after: Trajectory = original(before, turn, text, inserted_ids)
    if not before.turns:
        return after
    return replace(after, response_mask=before.response_mask + (1,) * (len(after.token_ids) - len(before.token_ids)))


def _masks_all(original: Any, *arguments: Any) -> Trajectory:
    """No token counts as sampled."""
    after: Trajectory = original(*arguments)
    return replace(after, response_mask=(0,) * len(after.response_mask))


def _shifted(original: Any, before: Trajectory, turn: Turn, text: str, inserted_ids: Any) -> Trajectory:
    after: Trajectory = original(before, turn, text, inserted_ids)
    mine = after.response_mask[len(before.response_mask) :]
    return replace(after, response_mask=before.response_mask + mine[1:] + mine[:1])


def _odd_ids(tokens: Any, text: str) -> list[int]:
    """The first word of the sampled text, encoded character by character: same text, different ids."""
    word = text[: text.find(" ") + 1]
    return [id for letter in word for id in tokens.encode(letter)] + list(tokens.encode(text[len(word) :]))


async def _samples_oddly(original: Any, self: Any, task: Any) -> Any:
    made = await original(self, task)
    ids = tuple(_odd_ids(self._tokens, made.text))
    logprobs = tuple(backend.logprob(task.turn, n, token) for n, token in enumerate(ids))
    return replace(made, token_ids=ids, logprobs=logprobs)


def _encodes_again(original: Any, tokens: Any, past: Any, known: Any, messages: Any, tools: Any) -> Any:
    built = original(tokens, past, known, messages, tools)
    return replace(built, token_ids=tuple(tokens.encode(built.text)))


def _hides_drift(original: Any, *arguments: Any) -> Trajectory:
    extended: Trajectory = original(*arguments)
    return replace(extended, drift=None)


MUTANTS = (
    Mutant("trains_on_tools", breaks="188", what="tool results count as sampled", patch=_grown(_masks_tools)),
    Mutant("mask_of_zeros", breaks="188", what="no token counts as sampled", patch=_grown(_masks_all)),
    Mutant("shifted_mask", breaks="188", what="the mask is shifted by one token", patch=_grown(_shifted)),
    Mutant(
        "encodes_again",
        breaks="189",
        also=("183", "185", "188", "304"),
        what="sampled tokens are encoded again",
        patch=every(
            around(BuiltInBackend, "generate", _samples_oddly),
            around(prompt, "build", _encodes_again),
            _grown(_hides_drift),
        ),
    ),
)
