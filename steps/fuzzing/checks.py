"""What a response may not be, whatever the request was: checks of our own beside those of schemathesis.

A check raises `Broken` with the requirement, its sentence, and what was seen; schemathesis adds the request that shows it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from schemathesis.core.failures import Failure

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.fuzzing.request_observer import Watch, sent
from rollout_conformance.steps.http.keys import recognisable

if TYPE_CHECKING:
    import schemathesis

    from rollout_conformance.steps.fuzzing.request_observer import GeneratedCase


class Broken(Failure):
    """A requirement that a generated request showed to be broken."""


def broken(operation: str, requirement: Requirement, expected: str, observed: str) -> Broken:
    return Broken(
        operation=operation,
        title=f"{requirement.id} {requirement.sentence}",
        message=redacted(f"expected  {expected}\nobserved  {observed}"),
        case_id=None,
    )


def rollout_invariants(watch: Watch, case: "GeneratedCase") -> None:
    """What a generated request led to is judged like any case."""
    found = watch.findings(case)
    if found:
        raise _told(case, found, watch.run.profile.catalogue)


def no_internals(watch: Watch, response: "schemathesis.Response", case: "GeneratedCase") -> None:
    """An error names what was wrong with the request, and exposes no internals of the server."""
    text = (response.content or b"").decode("utf-8", "replace") if response.status_code >= 400 else ""
    shown = internal_error_patterns.leaked(
        text,
        watch.fuzz.internals,
        internal_error_patterns.Sent(internal_error_patterns.of_request(sent(response.request))),
    )
    if shown:
        requirement = watch.run.profile.catalogue[watch.fuzz.no_internals]
        raise broken(
            case.operation.label,
            requirement,
            "an error in the server's own words",
            internal_error_patterns.excerpt(text, shown),
        )


def no_secrets(watch: Watch, response: "schemathesis.Response", case: "GeneratedCase") -> None:
    """The key that the server requires is in no response."""
    if any(key.encode() in (response.content or b"") for key in recognisable([watch.key])):
        raise broken(
            case.operation.label,
            watch.run.profile.catalogue[watch.fuzz.no_secrets],
            "no key in a response",
            "the target's key",
        )


def _told(case: "GeneratedCase", found: tuple[Finding, ...], catalogue: Mapping[str, Requirement]) -> Broken:
    first = found[0]
    others = sorted({f.requirement for f in found} - {first.requirement})
    observed = first.observed + (f"\nalso  {', '.join(others)}" if others else "")
    return broken(case.operation.label, catalogue[first.requirement], first.expected, observed)
