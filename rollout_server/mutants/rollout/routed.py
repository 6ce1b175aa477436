"""Defects of the routed dialect: its start, its two reports, status and cancellation."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.rollout.wire_routed import CancelRequest
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.mutants.dialects import ROUTED
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import (
    delivery,
    endpoints,
    errors,
    results,
    routed_dialect,
    service,
)
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.status_store import StatusStore


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
        raise RequestError(422, "rollout_id is required")
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
    async def send(original: Any, start: Any, report: Any, app_state: Any) -> bool:
        return True if report.body["status"] == status else bool(await original(start, report, app_state))

    return around(delivery, "send", send)


async def _grades_failures(original: Any, start: Any, result: Any, app_state: Any) -> bool:
    told = bool(await original(start, result, app_state))
    if result.error is not None:
        sample = routed_dialect.grade(start, replace(result, error=None))
        return told and (sample is None or await delivery.send(start, sample, app_state))
    return told


async def _grades_first(original: Any, start: Any, result: Any, app_state: Any) -> bool:
    sample = routed_dialect.grade(start, result)
    if sample is not None:
        await delivery.send(start, sample, app_state)
    return bool(await delivery.send(start, routed_dialect.completion(start, result), app_state))


def _board(name: str, change: Any) -> Any:
    original = getattr(StatusStore, name)
    return put(StatusStore, name, lambda self, *arguments: change(original(self, *arguments)))


def _takes_nothing() -> None:
    read = CancelRequest.model_validate

    def lenient(body: Any) -> CancelRequest:
        given = [name for name in ("ids", "prefix", "all") if isinstance(body, Mapping) and name in body]
        return read(body if len(given) == 1 else {"ids": []})

    put(endpoints, "CancelRequest", type("Lenient", (), {"model_validate": staticmethod(lenient)}))()


def _empty_prefix() -> None:
    read = CancelRequest.model_validate

    def lenient(body: Any) -> CancelRequest:
        return read({"all": True} if isinstance(body, Mapping) and body.get("prefix") == "" else body)

    put(endpoints, "CancelRequest", type("Lenient", (), {"model_validate": staticmethod(lenient)}))()


def _rewarded_without_grade(original: Any, start: Any, result: Any) -> Any:
    report = original(start, result)
    if report is None or start.routes.grader_timeout_s is None or start.routes.grader_timeout_s > 0:
        return report
    sample = {**report.body["sample"], "reward": 0.0}
    return replace(report, body={**report.body, "status": "failure", "sample": sample})


def _time_begins_with_a_slot() -> None:
    limit = service.agent_time_limit

    async def run(original: Any, self: Any, state: Any) -> Any:
        try:
            async with asyncio.timeout(limit(state.start)):
                return await original(self, state)
        except TimeoutError:
            return service.fail(state, errors.rollout_timeout(limit(state.start) or 0.0))

    around(Service, "run", run)()
    put(service, "agent_time_limit", lambda start: None)()


def _only_says_so(self: Any, request: CancelRequest) -> dict[str, Any]:
    return {name: self.statuses.disposition(name) for name in self.statuses.matching(request)}


def _first_only(original: Any, self: Any, request: CancelRequest) -> list[str]:
    matching: list[str] = original(self, request)
    return matching[:1] if request.all else matching


def _reports_again() -> None:
    cancel, accept, starts = Service.cancel, Service.accept, {}

    def accepting(self: Any, start: Any) -> Any:
        starts[start.rollout_id] = start
        return accept(self, start)

    def cancelling(self: Any, request: CancelRequest) -> Any:
        for name in self.statuses.matching(request):
            if self.statuses.get(name) == "success" and name in starts:
                late = results.failed(starts[name], (), results.Counters(), errors.cancelled(), {})
                report = routed_dialect.completion(starts[name], late)
                _late.append(asyncio.ensure_future(delivery.send(starts[name], report, self.app_state)))
        return cancel(self, request)

    put(Service, "accept", accepting)()
    put(Service, "cancel", cancelling)()


_late: list[Any] = []


_meant = StatusStore.matching


MUTANTS = (
    Mutant(
        "routed_removed",
        breaks="135",
        what="a removed sample has a reward",
        patch=_samples({"remove_sample": True, "reward": 1.0}),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_zero_without_grade",
        breaks="135",
        what="a grader that ran out of time gives a reward of 0",
        patch=around(routed_dialect, "grade", _rewarded_without_grade),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_grades_first",
        breaks="147",
        also=("*",),
        what="the sample comes before the completion",
        patch=around(delivery, "deliver", _grades_first),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_200",
        breaks="206",
        what="a start is answered with 200",
        patch=around(endpoints, "json_response", _answers_200),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_any_id",
        breaks="207",
        also=("020", "126", "209", "217", "018"),
        what="slashes in an id are replaced",
        patch=incoming(_dashes),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_wants_id",
        breaks="208",
        also=("209", "218"),
        what="a start without an id is rejected",
        patch=incoming(_wants_an_id),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_own_key",
        breaks="210",
        what="generation requests carry the other key",
        patch=around(routed_dialect, "from_routed", _own_key),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_keyless_sample",
        breaks="212",
        what="the sample carries no key",
        patch=after(routed_dialect, "grade", lambda report: report and replace(report, key=None)),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_no_failure",
        breaks="213",
        also=("*",),
        what="a failure is not reported",
        patch=_unsent("failure"),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_shouts",
        breaks="214",
        also=("*",),
        what="the completion has the status in capitals",
        patch=completions(lambda b: {"status": b["status"].upper()}),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_ungraded",
        breaks="215",
        also=("*",),
        what="no sample is sent",
        patch=put(routed_dialect, "grade", lambda start, result: None),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_samples_all",
        breaks="216",
        also=("*",),
        what="a failure has a sample",
        patch=around(delivery, "deliver", _grades_failures),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_no_label",
        breaks="217",
        what="the label is replaced",
        patch=_samples({"label": "other"}),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_words",
        breaks="218",
        also=("219", "300"),
        what="the status resource has the status in capitals",
        patch=_board("get", lambda s: s and s.upper()),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_queued",
        breaks="219",
        what="the status stays queued",
        patch=_board("get", lambda s: s and "queued"),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_knows_all",
        breaks="220",
        what="an unknown id has the status success",
        patch=_board("get", lambda s: s or "success"),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_cancels_nothing",
        breaks="221",
        what="a cancellation without a selection is accepted",
        patch=_takes_nothing,
        dialects=ROUTED,
    ),
    Mutant(
        "routed_empty_prefix",
        breaks="304",
        what="an empty prefix cancels every rollout",
        patch=_empty_prefix,
        dialects=ROUTED,
    ),
    Mutant(
        "routed_one_word",
        breaks="222",
        also=("*",),
        what="every disposition is the same",
        patch=_board("disposition", lambda d: "cancelled"),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_says_so",
        breaks="223",
        also=("*",),
        what="a cancellation changes nothing",
        patch=put(Service, "cancel", _only_says_so),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_silent_cancel",
        breaks="224",
        also=("213", "222", "223", "216", "219", "225", "226", "227", "147", "137", "164"),
        what="a cancellation is not reported",
        patch=_unsent("cancelled"),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_prefix",
        breaks="225",
        also=("*",),
        what="a prefix selects all",
        patch=put(
            StatusStore,
            "matching",
            lambda self, request: _meant(
                self, request.model_copy(update={"prefix": None}) if request.prefix else request
            ),
        ),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_prefix_pattern",
        breaks="225",
        what="a prefix is a regular expression",
        patch=put(
            StatusStore,
            "matching",
            lambda self, request: (
                [name for name in self._cancellable() if re.match(request.prefix, name)]
                if request.prefix
                else _meant(self, request)
            ),
        ),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_first",
        breaks="226",
        also=("*",),
        what="all selects one",
        patch=put(StatusStore, "matching", lambda self, request: _first_only(_meant, self, request)),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_late",
        breaks="227",
        also=("137", "140"),
        what="an ended rollout is reported as cancelled",
        patch=_reports_again,
        dialects=ROUTED,
    ),
    Mutant(
        "routed_no_budget",
        breaks="228",
        also=("213", "064", "146"),
        what="the agent timeout is ignored",
        patch=put(service, "agent_time_limit", lambda start: None),
        dialects=ROUTED,
    ),
    Mutant(
        "routed_waiting_is_free",
        breaks="228",
        also=("213",),
        what="the agent timeout does not include the time in the queue",
        patch=_time_begins_with_a_slot,
        dialects=ROUTED,
    ),
    Mutant(
        "routed_odd_times",
        breaks="229",
        what="a timeout may be a string",
        patch=incoming(_no_odd_times),
        dialects=ROUTED,
    ),
)
