"""Leases: who may fetch a result, how long a rollout is waited for, and that a result never changes."""

import pytest

from rollout_conformance.rollout_server.rollout import leased_dialect
from rollout_conformance.rollout_server.rollout.lease_store import LeaseStore

RESULT = {"rollout_id": "a", "status": "success"}


def test_a_lease_expires_unless_it_is_renewed_or_the_rollout_has_ended() -> None:
    store = LeaseStore(lease_s=10, keep_s=100, limit=8)
    lease = store.open("a", now=0)
    assert (lease.is_expired(9.9), lease.is_expired(10)) == (False, True)
    store.renew(lease, now=5)
    assert (lease.is_expired(10), lease.is_expired(15)) == (False, True)
    store.finish("a", RESULT, now=6)
    assert not lease.is_expired(1000)


def test_only_the_first_result_is_kept_and_wakes_those_who_wait() -> None:
    store = LeaseStore(lease_s=10, keep_s=100, limit=8)
    lease = store.open("a", now=0)
    changed = lease.changed
    store.finish("a", RESULT, now=1)
    store.finish("a", {"status": "cancelled"}, now=2)
    lease.set_status("running")
    assert (lease.result, lease.status, changed.is_set()) == (RESULT, "success", True)


def test_results_are_kept_for_a_limited_time_and_in_a_limited_number() -> None:
    store = LeaseStore(lease_s=10, keep_s=100, limit=2)
    for n, name in enumerate(("a", "b", "c", "d")):
        store.open(name, now=n)
        if name != "d":
            store.finish(name, RESULT, now=n)
    assert [name for name in "abcd" if store.get(name) is not None] == ["b", "c", "d"]
    store.prune(now=101)
    assert [name for name in "abcd" if store.get(name) is not None] == ["c", "d"]


def test_each_rollout_has_a_lease_of_its_own() -> None:
    store = LeaseStore(lease_s=10, keep_s=100, limit=8)
    one, other = store.open("a", now=0), store.open("b", now=0)
    assert store.accepts(one, one.token)
    assert not store.accepts(one, other.token)
    assert not store.accepts(one, "é")


@pytest.mark.parametrize(
    ("body", "leased"),
    [
        ({"chat_completions_url": "http://a"}, True),
        ({"chat_completions_url": "http://a", "completion_callback_url": "http://a"}, False),
        ({"chat_completions_url": "http://a", "controller_api_key": "k"}, False),
        ({"server_url": "http://a"}, False),
        ([], False),
    ],
)
def test_a_start_request_without_any_callback_is_leased(body: object, leased: bool) -> None:
    assert leased_dialect.is_leased(body) is leased
