"""Two reports and no identity in the body: what only the routed dialect has."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, first, number, satisfied, show
from rollout_conformance.steps.profiles.rollout.invariants.completion import changed
from rollout_conformance.steps.profiles.rollout.view import CaseView, Post, Rollout

STATUSES = ("success", "failure", "cancelled")


def routed(view: CaseView) -> Iterator[Evidence]:
    if view.dialect != "routed":
        return
    for rollout in view.rollouts.values():
        yield from _accepted(rollout)
        yield from _reported(view, rollout)
        for post in rollout.posts:
            yield from _status(post)
        yield from _graded(view, rollout)


def _accepted(rollout: Rollout) -> Iterator[Evidence]:
    for start in (start for start in rollout.starts if start.status is not None and 200 <= start.status < 300):
        if start.status != 202 or not isinstance(start.body, dict):
            yield broken("206", "202 and a JSON object", f"{start.status}: {show(start.body)}", start.n)
            continue
        yield satisfied("206")
        shown = start.fields.get("rollout_id")
        if shown is None:
            continue
        if rollout.given.rollout_id and shown != rollout.given.rollout_id:
            yield broken("209", f"rollout_id {show(rollout.given.rollout_id)}", f"rollout_id {show(shown)}", start.n)
        else:
            yield satisfied("209")


def _reported(view: CaseView, rollout: Rollout) -> Iterator[Evidence]:
    if rollout.accepted and rollout.posts:
        yield satisfied("213")
    elif rollout.accepted and any(label == rollout.given.label for label, _ in view.wait_timeouts):
        expected = "POST {completion_callback_url} for every accepted rollout"
        yield broken("213", expected, f"none within {view.trace.now():.1f} s", rollout.starts[0].n, timing=True)


def _status(post: Post) -> Iterator[Evidence]:
    status = post.fields.get("said_status")
    if status in STATUSES:
        yield satisfied("214")
    else:
        yield broken("214", f"status: one of {', '.join(STATUSES)}", f"status: {show(status)}", post.n)


def _graded(view: CaseView, rollout: Rollout) -> Iterator[Evidence]:
    wanted = bool(rollout.given.body.get("grader_callback_url"))
    for grade in rollout.grades:
        yield from _sample(rollout, grade)
    if rollout.grades and not wanted:
        yield broken(
            "215",
            "no grader callback: no URL was given",
            f"POST {rollout.grades[0].exchange.request.path}",
            rollout.grades[0].n,
        )
    elif rollout.grades and not rollout.shown and rollout.is_completed() and _succeeded(rollout.grades[0]):
        observed = f"status: success, sample: {show(rollout.grades[0].fields.get('sample'))}"
        yield broken("215", "the graded sample of a rollout that succeeded", observed, rollout.grades[0].n)
    elif rollout.grades:
        yield satisfied("215")
    elif wanted and rollout.is_completed() and _waited_for_grade(view, rollout):
        expected = "POST {grader_callback_url} after a success"
        yield broken("215", expected, f"none within {view.trace.now():.1f} s", rollout.posts[0].n, timing=True)
    for again in rollout.grades[1:]:
        difference = changed(rollout.grades[0], again)
        if difference is not None:
            yield broken("147", "the same sample as before", str(difference), rollout.grades[0].n, again.n)
            break
    if rollout.grades and rollout.posts:
        yield satisfied("147")


def _waited_for_grade(view: CaseView, rollout: Rollout) -> bool:
    """A server may leave the sample out where the trainer never received the result that it belongs to."""
    acknowledged = any(post.acked for post in rollout.posts)
    return acknowledged and any(label == rollout.given.label for label, _ in view.wait_timeouts)


def _succeeded(grade: Post) -> bool:
    return grade.fields.get("status") == "success"


def _sample(rollout: Rollout, grade: Post) -> Iterator[Evidence]:
    sample = grade.fields.get("sample")
    if rollout.is_error():
        if sample is not None:
            yield broken("216", "no sample of a rollout that failed", f"sample: {show(sample)}", grade.n)
        else:
            yield satisfied("216")
    if not isinstance(sample, dict):
        return
    yield from _reward(grade, sample)
    expected = {"rollout_id": rollout.given.rollout_id or None, "label": rollout.given.body.get("label")}
    observed = {"rollout_id": grade.fields.get("rollout_id"), "label": sample.get("label")}
    if expected["rollout_id"] is None:
        observed["rollout_id"] = None
    difference = first(expected, observed)
    yield (
        satisfied("217")
        if difference is None
        else broken("217", "rollout_id and label as given", str(difference), grade.n)
    )


def _reward(grade: Post, sample: dict[str, object]) -> Iterator[Evidence]:
    reward = sample.get("reward")
    if reward is None:
        return
    kept = grade.fields.get("status") == "success" and not sample.get("remove_sample")
    if number(reward) is None or not kept:
        observed = f"reward {show(reward)}, status {show(grade.fields.get('status'))}, remove_sample {show(sample.get('remove_sample'))}"
        yield broken("135", "a finite reward, of a kept sample", observed, grade.n)
    else:
        yield satisfied("135")
