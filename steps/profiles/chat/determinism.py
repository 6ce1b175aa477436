"""Whether equal requests with temperature 0 had equal answers before the run: where they had not, no two answers are compared."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Case

EQUAL_REQUESTS = 3
DETERMINISM = {"CHAT-030", "CHAT-031"}
ANSWERS_DIFFER = "equal requests with temperature 0 had different answers before the run, which CHAT-030 judges"
SAMPLED = "temperature 0 may not reach the model of a target that imposes sampling parameters"
SAME = (
    f"{EQUAL_REQUESTS} equal requests with temperature 0 had equal answers: cases that compare two answers are played"
)
DIFFERENT = f"{EQUAL_REQUESTS} equal requests with temperature 0 had different answers: cases that compare two answers are skipped"


def are_equal(answers: Sequence[str]) -> bool | None:
    """Whether the answers are one; None where fewer than two requests were answered."""
    answered = [one for one in answers if one]
    return len(set(answered)) < 2 if len(answered) > 1 else None


def learnt(deterministic: bool | None) -> Iterator[str]:
    """The remark on a card."""
    if deterministic is not None:
        yield SAME if deterministic else f"{DIFFERENT}, and CHAT-030 judges that"


def incomparable(takes_sampling: bool) -> str:
    """Why a case is skipped that compares two answers. With parameters of its own, a target need not be deterministic."""
    if not takes_sampling:
        return f"{SAMPLED}: no two answers are compared"
    return f"{ANSWERS_DIFFER}: what compares two answers would judge that again"


def compares_answers(case: Case) -> bool:
    """Whether a case rests on equal answers to equal requests, without being about them."""
    rests = any(getattr(step.what, "rests_on_determinism", False) for step in case.expectations)
    return rests and not DETERMINISM & set(case.requirements)
