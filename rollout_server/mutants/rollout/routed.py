"""Defects of the routed dialect: its start, its two reports, status and cancellation."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.mutants.framework import ROUTED, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import delivery, endpoints, errors, results, routed_dialect, service
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.status_store import Board


def _answers_200(original: Any, value: Any, status: int = 200, headers: Any = None) -> Any:
    return original(value, 200 if set(value) == {"rollout_id"} else status, headers)


def incoming(change: Any) -> Any:
    """Change the body of a routed start before it is read."""
    return around(routed_dialect, "from_routed", lambda original, body: original(change(dict(body))))


def _dashes(body: dict[str, Any]) -> dict[str, Any]:
    name = body.get("rollout_id")
    return {**body, "rollout_id": name.replace("/", "-")} if isinstance(name, str) else body


def _wants_an_id(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("rollout_id") is None:
        raise Refusal(422, "rollout_id is required")
    return body


def _no_odd_times(body: dict[str, Any]) -> dict[str, Any]:
    odd = ("agent_timeout_sec", "grader_timeout_sec")
    return {name: None if name in odd and isinstance(value, str | list) else value for name, value in body.items()}


def _own_key(original: Any, body: Any) -> Any:
    start = original(body)
    return replace(start, api_key=start.routes.key)


def completions(change: Any) -> Any:
    def changed(report: Any) -> Any:
        return replace(report, body={**report.body, **change(report.body)})

    return after(routed_dialect, "completion", changed)


def _samples(change: Any) -> Any:
    def changed(report: Any) -> Any:
        if report is None:
            return None
        return replace(report, body={**report.body, "sample": {**report.body["sample"], **change}})

    return after(routed_dialect, "grade", changed)


def _unsent(status: str) -> Any:
    async def send(original: Any, start: Any, report: Any, kit: Any) -> bool:
        return True if report.body["status"] == status else bool(await original(start, report, kit))

    return around(delivery, "send", send)


async def _grades_failures(original: Any, start: Any, result: Any, kit: Any) -> bool:
    told = bool(await original(start, result, kit))
    if result.error is not None:
        sample = routed_dialect.grade(start, replace(result, error=None))
        return told and (sample is None or await delivery.send(start, sample, kit))
    return told


async def _grades_first(original: Any, start: Any, result: Any, kit: Any) -> bool:
    sample = routed_dialect.grade(start, result)
    if sample is not None:
        await delivery.send(start, sample, kit)
    return bool(await delivery.send(start, routed_dialect.completion(start, result), kit))


def _board(name: str, change: Any) -> Any:
    original = getattr(Board, name)
    return put(Board, name, lambda self, *arguments: change(original(self, *arguments)))


def _takes_nothing() -> None:
    read = CancelRequest.model_validate

    def lenient(body: Any) -> CancelRequest:
        given = [name for name in ("rollout_ids", "prefix", "all") if isinstance(body, Mapping) and name in body]
        return read(body if len(given) == 1 else {"rollout_ids": []})

    put(endpoints, "CancelRequest", type("Lenient", (), {"model_validate": staticmethod(lenient)}))()


def _only_says_so(self: Any, request: CancelRequest) -> dict[str, Any]:
    return {name: self.board.disposition(name) for name in self.board.meant(request)}


def _first_only(original: Any, self: Any, request: CancelRequest) -> list[str]:
    meant: list[str] = original(self, request)
    return meant[:1] if request.all else meant


def _reports_again() -> None:
    cancel, accept, starts = Service.cancel, Service.accept, {}

    def accepting(self: Any, start: Any) -> Any:
        starts[start.rollout_id] = start
        return accept(self, start)

    def cancelling(self: Any, request: CancelRequest) -> Any:
        for name in self.board.meant(request):
            if self.board.of(name) == "success" and name in starts:
                late = results.failed(starts[name], (), results.Tally(), errors.cancelled(), {})
                report = routed_dialect.completion(starts[name], late)
                _late.append(asyncio.ensure_future(delivery.send(starts[name], report, self.kit)))
        return cancel(self, request)

    put(Service, "accept", accepting)()
    put(Service, "cancel", cancelling)()


_late: list[Any] = []
_meant = Board.meant

MUTANTS = (
    Mutant("routed_200", "206", "a start is answered 200", around(endpoints, "json_response", _answers_200), ROUTED),
    Mutant(
        "routed_any_id",
        "207",
        "an id may have slashes",
        incoming(_dashes),
        ROUTED,
        ("020", "126", "209", "217", "018"),
    ),
    Mutant(
        "routed_wants_id", "208", "a start without an id is refused", incoming(_wants_an_id), ROUTED, ("209", "218")
    ),
    Mutant(
        "routed_own_key",
        "210",
        "the model is asked with the other key",
        around(routed_dialect, "from_routed", _own_key),
        ROUTED,
    ),
    Mutant(
        "routed_keyless_sample",
        "212",
        "the sample carries no key",
        after(routed_dialect, "grade", lambda report: report and replace(report, key=None)),
        ROUTED,
    ),
    Mutant("routed_no_failure", "213", "a failure is not reported", _unsent("failure"), ROUTED, ("*",)),
    Mutant(
        "routed_shouts",
        "214",
        "a status is in capitals",
        completions(lambda b: {"status": b["status"].upper()}),
        ROUTED,
        ("*",),
    ),
    Mutant(
        "routed_ungraded",
        "215",
        "no sample is sent",
        put(routed_dialect, "grade", lambda start, result: None),
        ROUTED,
        ("*",),
    ),
    Mutant(
        "routed_samples_all",
        "216",
        "a failure has a sample",
        around(delivery, "deliver", _grades_failures),
        ROUTED,
        ("*",),
    ),
    Mutant("routed_no_label", "217", "the label is lost", _samples({"label": "other"}), ROUTED),
    Mutant(
        "routed_words",
        "218",
        "a status is in capitals",
        _board("of", lambda s: s and s.upper()),
        ROUTED,
        ("219", "300"),
    ),
    Mutant("routed_queued", "219", "a status never changes", _board("of", lambda s: s and "queued"), ROUTED),
    Mutant("routed_knows_all", "220", "an unknown id is a success", _board("of", lambda s: s or "success"), ROUTED),
    Mutant("routed_cancels_nothing", "221", "a cancellation of nothing is fine", _takes_nothing, ROUTED),
    Mutant(
        "routed_one_word",
        "222",
        "every disposition is the same",
        _board("disposition", lambda d: "cancelled"),
        ROUTED,
        ("*",),
    ),
    Mutant(
        "routed_says_so", "223", "a cancellation changes nothing", put(Service, "cancel", _only_says_so), ROUTED, ("*",)
    ),
    Mutant(
        "routed_silent_cancel",
        "224",
        "a cancellation is not reported",
        _unsent("cancelled"),
        ROUTED,
        ("213", "222", "223", "216", "219", "225", "226", "227", "147", "137", "164"),
    ),
    Mutant(
        "routed_prefix",
        "225",
        "a prefix means all",
        put(
            Board,
            "meant",
            lambda self, request: _meant(
                self, request.model_copy(update={"prefix": None}) if request.prefix else request
            ),
        ),
        ROUTED,
        ("*",),
    ),
    Mutant(
        "routed_first",
        "226",
        "all means one",
        put(Board, "meant", lambda self, request: _first_only(_meant, self, request)),
        ROUTED,
        ("*",),
    ),
    Mutant("routed_late", "227", "an end is followed by a cancellation", _reports_again, ROUTED, ("137", "140")),
    Mutant(
        "routed_no_budget",
        "228",
        "an agent has all the time",
        put(service, "agent_budget", lambda start: None),
        ROUTED,
        ("213", "064", "146"),
    ),
    Mutant("routed_odd_times", "229", "a time may be a text", incoming(_no_odd_times), ROUTED),
    Mutant(
        "routed_removed",
        "135",
        "a removed sample has a reward",
        _samples({"remove_sample": True, "reward": 1.0}),
        ROUTED,
    ),
    Mutant(
        "routed_grades_first",
        "147",
        "the sample comes before the completion",
        around(delivery, "deliver", _grades_first),
        ROUTED,
        ("*",),
    ),
)
