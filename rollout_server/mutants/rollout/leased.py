"""Defects of the leased dialect: its 202 response, its leases, and the results that are fetched with them."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import LEASED
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around, put
from rollout_conformance.rollout_server.rollout import endpoints, leased_dialect
from rollout_conformance.rollout_server.rollout.lease_store import Lease, LeaseStore
from rollout_conformance.rollout_server.rollout.results import Result
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

Body = Mapping[str, Any]


def _lease_body(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Patch:
    return after(leased_dialect, "lease_body", change)


def _result_body(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Patch:
    return after(leased_dialect, "result_body", change)


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def _no_key(original: Callable[[Body], StartRequest], body: Body) -> StartRequest:
    return replace(original(body), api_key=None)


def _sample(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Patch:
    return after(leased_dialect, "sample", change)


_answers = itertools.count()


async def _counts(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    """Every response with the result has another sample."""
    body = await original(self, lease)
    return {**body, "err_message": f"response {next(_answers)}"} if lease.result is not None else body


async def _late(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    """Answers only when the rollout has ended."""
    while lease.result is None:
        self.leases.renew(lease, time.monotonic())
        await asyncio.sleep(0.05)
    return dict(await original(self, lease))


async def _never_ends(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    if lease.result is not None:
        await asyncio.sleep(0.2)
        return {"status": "running"}
    return dict(await original(self, lease))


async def _forgets(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    """The result is given out once."""
    if lease.status == "unknown":
        return {"status": "running"}
    body = dict(await original(self, lease))
    if lease.result is not None:
        lease.status = "unknown"
    return body


def _renews(original: Any, self: LeaseStore, lease: Lease, token: str) -> bool:
    self.renew(lease, time.monotonic())
    return bool(original(self, lease, token))


async def _expires(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    """A lease counts after the end as well."""
    expired = lease.result is not None and time.monotonic() >= lease.expires
    body = dict(await original(self, lease))
    return {"rollout_id": body["rollout_id"], "status": "failure", "err_message": "expired"} if expired else body


async def _no_watch(self: Service, start: StartRequest, lease: Lease, run: "asyncio.Task[Result]") -> None:
    return None


def _again(self: Service, start: StartRequest, original: Any = Service.accept_leased) -> dict[str, Any]:
    """An id in use is taken for a new rollout."""
    if self.leases.get(start.rollout_id) is not None:
        self.leases.discard(start.rollout_id)
    return dict(original(self, start))


def _cancelled_as_success(body: dict[str, Any]) -> dict[str, Any]:
    if body["status"] != "cancelled":
        return body
    return {"rollout_id": body["rollout_id"], "status": "success", "sample": {"messages": [], "label": "8"}}


def _withdraws(self: Service, request: Any, original: Any = Service.cancel) -> dict[str, Any]:
    """A cancellation also changes the result of a rollout that has ended."""
    for name in request.ids or ():
        lease = self.leases.get(name)
        if lease is not None and lease.result is not None:
            lease.result = {"status": "cancelled"}
    return dict(original(self, request))


async def _leaving_cancels(self: Service, lease: Lease, original: Any = Service.result) -> dict[str, Any]:
    """A connection that the client closes during a long poll cancels the rollout."""
    try:
        return dict(await original(self, lease))
    except asyncio.CancelledError:
        for rollout_id, run in list(self.by_id.items()):
            if self.leases.get(rollout_id) is lease:
                run.cancel()
        raise


def _cancelled_with_sample(body: dict[str, Any]) -> dict[str, Any]:
    if body["status"] != "cancelled":
        return body
    said = {"role": "assistant", "content": "Half of an ans"}
    return {**body, "sample": {"messages": [said], "label": "8", "reward": 0.0}}


async def _unknown_runs(self: Any, request: Any) -> Any:
    try:
        return await _get(self, request)
    except RequestError as error:
        if error.status != 404:
            raise
        return json_response({"rollout_id": request.path_params["rollout_id"], "status": "queued"})


_get = endpoints.RolloutResult.get

MUTANTS = (
    Mutant(
        "leased_no_lease",
        breaks="270",
        also=("*",),
        what="the 202 response has no lease",
        patch=_lease_body(_without("polling_lease_token")),
        dialects=LEASED,
    ),
    Mutant(
        "leased_no_key",
        breaks="271",
        also=("*",),
        what="generation requests have no key",
        patch=around(leased_dialect, "from_leased", _no_key),
        dialects=LEASED,
    ),
    Mutant(
        "leased_short_lease",
        breaks="272",
        what="the lease is shorter than a response may take",
        patch=_lease_body(lambda body: {**body, "polling_lease_timeout_sec": body["result_wait_timeout_sec"] / 2}),
        dialects=LEASED,
    ),
    Mutant(
        "leased_other_status",
        breaks="288",
        what="the 202 response has a status that no result can have",
        patch=_lease_body(lambda body: {**body, "status": "accepted"}),
        dialects=LEASED,
    ),
    Mutant(
        "leased_any_lease",
        breaks="273",
        also=("282",),
        what="every lease is accepted",
        patch=put(LeaseStore, "accepts", lambda self, lease, token: True),
        dialects=LEASED,
    ),
    Mutant(
        "leased_knows_all",
        breaks="274",
        also=("300",),
        what="an unknown id is queued",
        patch=put(endpoints.RolloutResult, "get", _unknown_runs),
        dialects=LEASED,
    ),
    Mutant(
        "leased_late",
        breaks="275",
        what="a request for a result is answered only when the rollout has ended",
        patch=put(Service, "result", _late),
        dialects=LEASED,
    ),
    Mutant(
        "leased_shouts",
        breaks="276",
        also=("*",),
        what="the status of a result is written in capitals",
        patch=_result_body(lambda body: {**body, "status": body["status"].upper()}),
        dialects=LEASED,
    ),
    Mutant(
        "leased_once",
        breaks="277",
        also=("276", "285", "281", "300", "273"),
        what="the result is given out once",
        patch=put(Service, "result", _forgets),
        dialects=LEASED,
    ),
    Mutant(
        "leased_counts",
        breaks="277",
        also=("120", "285", "281"),
        what="every response has another result",
        patch=put(Service, "result", _counts),
        dialects=LEASED,
    ),
    Mutant(
        "leased_no_label",
        breaks="278",
        what="the sample has no label",
        patch=_sample(_without("label")),
        dialects=LEASED,
    ),
    Mutant(
        "leased_no_sample",
        breaks="278",
        also=("*",),
        what="a success has no sample",
        patch=_result_body(_without("sample")),
        dialects=LEASED,
    ),
    Mutant(
        "leased_never_ends",
        breaks="279",
        also=("*",),
        what="a rollout that has ended is reported as running",
        patch=put(Service, "result", _never_ends),
        dialects=LEASED,
    ),
    Mutant(
        "leased_never_renewed",
        breaks="280",
        also=("275", "279", "231", "277"),
        what="a request for the result does not renew the lease",
        patch=put(LeaseStore, "renew", lambda self, lease, now: None),
        dialects=LEASED,
    ),
    Mutant(
        "leased_cancelled_success",
        breaks="281",
        also=("*",),
        what="a cancelled rollout is a success",
        patch=_result_body(_cancelled_as_success),
        dialects=LEASED,
    ),
    Mutant(
        "leased_renewed_by_anyone",
        breaks="282",
        what="a request with a wrong lease renews the lease",
        patch=around(LeaseStore, "accepts", _renews),
        dialects=LEASED,
    ),
    Mutant(
        "leased_result_expires",
        breaks="277",
        what="the result of an ended rollout becomes a failure when the lease expires",
        patch=put(Service, "result", _expires),
        dialects=LEASED,
    ),
    Mutant(
        "leased_forever",
        breaks="282",
        what="a lease does not expire",
        patch=put(Service, "watch_lease", _no_watch),
        dialects=LEASED,
    ),
    Mutant(
        "leased_runs_again",
        breaks="283",
        also=("*",),
        what="a rollout_id in use is run again",
        patch=put(Service, "accept_leased", _again),
        dialects=LEASED,
    ),
    Mutant(
        "leased_one_lease",
        breaks="284",
        also=("273",),
        what="all rollouts have one lease",
        patch=put(
            LeaseStore,
            "open",
            lambda self, rollout_id, now, original=LeaseStore.open: _same_token(original(self, rollout_id, now)),
        ),
        dialects=LEASED,
    ),
    Mutant(
        "leased_withdraws",
        breaks="285",
        also=("277", "281", "276"),
        what="a cancellation changes the result of a rollout that has ended",
        patch=put(Service, "cancel", _withdraws),
        dialects=LEASED,
    ),
    Mutant(
        "leased_cancelled_sample",
        breaks="281",
        what="the result of a cancelled rollout has a sample and a reward of 0",
        patch=_result_body(_cancelled_with_sample),
        dialects=LEASED,
    ),
    Mutant(
        "leased_leaving_cancels",
        breaks="286",
        also=("279",),
        what="a client that closes its request for the result cancels the rollout",
        patch=put(Service, "result", _leaving_cancels),
        dialects=LEASED,
    ),
)


def _same_token(lease: Lease) -> Lease:
    lease.token = "the-lease-of-all-rollouts"
    return lease
