"""What `schemathesis.toml` names: the trainer in the loop and the checks of ours, for the plain command line too.

A run of ours sets the watch; under `schemathesis run` the first request does, from the contract and the address that it is sent to.
"""

import atexit
import os
from typing import TYPE_CHECKING

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.fuzzing import checks
from rollout_conformance.steps.fuzzing.contract import dialect_of, fuzz_of, profile_of
from rollout_conformance.steps.fuzzing.request_observer import Watch
from rollout_conformance.steps.run_setup import RunOptions

if TYPE_CHECKING:
    from rollout_conformance.steps.fuzzing.request_observer import GeneratedCase


KEY = "ROLLOUT_SERVER_KEY"
_watch: list[Watch | None] = []


def use(watch: Watch | None) -> None:
    """Watch with this from now on; None watches nothing."""
    _watch[:] = [watch]


def stop() -> None:
    """Forget the watch: the next request finds another."""
    _watch.clear()


def watching(case: "GeneratedCase") -> Watch | None:
    if not _watch:
        use(_begun(case))
    return _watch[0]


def _begun(case: "GeneratedCase") -> Watch | None:
    """A watch for the plain command line. A contract of no dialect of ours is fuzzed without our peers."""
    schema = case.operation.schema
    dialect, profile = dialect_of(schema.raw_schema), profile_of(schema.raw_schema)
    if dialect is None or not fuzz_of(profile).plain:
        return None
    loop_thread = LoopThread()
    loop_thread.__enter__()
    atexit.register(loop_thread.__exit__)
    key = os.environ.get(KEY) or None
    target = str(schema.get_base_url()).rstrip("/")
    run_options = RunOptions(profile=profile.name, target=target, dialect=dialect, target_key=key, described=Card())
    return Watch.over(run_options, dialect, str(schema.location or "contract"), loop_thread)


class _Bearer(AuthBase):
    """The key of one request; as a header it would give way to the key of the whole run."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


@schemathesis.hook
def before_call(context: object, case: "GeneratedCase", kwargs: dict[str, object]) -> None:
    watch = watching(case)
    if watch is not None:
        key = watch.before(case)
        if key is not None:
            kwargs["auth"] = _Bearer(key)


@schemathesis.hook
def after_call(context: object, case: "GeneratedCase", response: "schemathesis.Response") -> None:
    watch = watching(case)
    if watch is not None:
        watch.after(case, response)


@schemathesis.hook
def after_network_error(context: object, case: "GeneratedCase", request: object) -> None:
    watch = watching(case)
    if watch is not None:
        watch.lost(case)


@schemathesis.check
def rollout_invariants(context: object, response: object, case: "GeneratedCase") -> None:
    watch = watching(case)
    if watch is not None:
        checks.rollout_invariants(watch, case)


@schemathesis.check
def no_internals(context: object, response: "schemathesis.Response", case: "GeneratedCase") -> None:
    watch = watching(case)
    if watch is not None:
        checks.no_internals(watch, response, case)


@schemathesis.check
def no_secrets(context: object, response: "schemathesis.Response", case: "GeneratedCase") -> None:
    watch = watching(case)
    if watch is not None:
        checks.no_secrets(watch, response, case)
