"""A walk as a scenario. The model `walked` makes all of its calls; `plain` makes only those that change it, in order and alone. Their numbers
have to be equal, and those of `untrained` show that they would differ.

What must not matter is left out of the plain order: evaluations, batches without weight, samples, saves, calls that are posted twice, calls of
other models, rejected calls, numbers that arrive in another order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

ABOUT = "TRAINING-304"
TOLERANCES = 3  # how many the numbers may be apart after some steps of Adam
WALKED, PLAIN, UNTRAINED, OTHER = "walked", "plain", "untrained", "neighbour"
Steps = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One event of a walk. `steps` are those of a scenario about the model `walked`; `plainly` what the model `plain` does for them.
    `saves` and `loads` name a checkpoint; a load leads back to the calls before that save."""

    what: str
    steps: Steps
    plainly: Steps = ()
    saves: str = ""
    loads: str = ""
    needs: tuple[str, ...] = ()


def plain(moves: Sequence[Move]) -> list[Any]:
    """What is left of the walk without what must not matter."""
    left: list[Any] = []
    saved: dict[str, list[Any]] = {}
    for move in moves:
        if move.loads:
            left = list(saved[move.loads])
        if move.saves:
            saved[move.saves] = list(left)
        left += move.plainly
    return left


def possible(moves: Sequence[Move], dialect: str) -> bool:
    """Whether a program can be played: every load is of an earlier save, and there is a step whose effect shows."""
    saves: set[str] = set()
    for move in moves:
        if move.loads and move.loads not in saves:
            return False
        saves |= {move.saves} if move.saves else set()
    return any("optim_step" in step for step in plain(moves))


def document(name: str, dialect: str, moves: Sequence[Move]) -> dict[str, Any]:
    """The scenario of a program."""
    plainly = [step if isinstance(step, dict) else {step: {}} for step in plain(moves)]
    about = [{verb: {**members, "model": PLAIN} for verb, members in step.items()} for step in plainly]
    walked = list(numbered(step for move in moves for step in move.steps))
    rejected = [members["name"] for step in walked for members in _members(step) if "defect" in members]
    case: dict[str, Any] = {
        "name": name,
        "requirements": [ABOUT],
        "dialects": [dialect],
        "needs": sorted({"seed", *(need for move in moves for need in move.needs)}),
        "steps": [
            *({"create_model": one} for one in (WALKED, PLAIN, UNTRAINED, OTHER)),
            *walked,
            *about,
            *({"measure": {"model": one, "name": f"{one}_numbers"}} for one in (WALKED, PLAIN, UNTRAINED)),
        ],
        "expect": [
            *({"carried_out_or_rejected": one} for one in rejected),
            {
                "same_numbers": {
                    "of": [f"{WALKED}_numbers", f"{PLAIN}_numbers"],
                    "control": [f"{UNTRAINED}_numbers"],
                    "tolerances": TOLERANCES,
                }
            },
        ],
    }
    return {"cases": [case]}


def _members(step: Any) -> Iterator[dict[str, Any]]:
    """The members of a step that has some."""
    if isinstance(step, dict):
        yield from (one for one in step.values() if isinstance(one, dict))


def numbered(steps: Iterable[Any]) -> Iterator[Any]:
    """The steps with names for the calls that are posted again, and with sequence numbers where two arrive in another order."""
    seq, count = 1, 0
    for step in steps:
        ((verb, members),) = step.items()
        made = dict(members) if isinstance(members, dict) else members
        if verb == "resend":
            yield {"resend": {"of": f"call{count}", "name": f"again{count}"}}
            continue
        if verb == "results" or not isinstance(made, dict) or made.get("model", WALKED) != WALKED:
            yield verb if verb == "results" else {verb: made}
            continue
        if "seq" in made:
            made["seq"] += seq
        count += 1
        seq += 0 if verb == "sample" and "sampler" in made else 1
        yield {verb: {**made, "model": WALKED, "name": f"call{count}"}}
