"""When a call is sent again, and after which pause. Decides, and waits for nothing."""

import random
from dataclasses import dataclass

import httpx

from rollout_conformance.rollout_server.training.client import errors
from rollout_conformance.rollout_server.training.client.calls import Call, T
from rollout_conformance.rollout_server.training.client.errors import SignalError

AGAIN = frozenset({408, 500, 502, 503, 504})
NOT_CARRIED_OUT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Retries:
    """At most `most` tries, with pauses that double from `first_s` to `longest_s` unless the server names one."""

    most: int = 6
    first_s: float = 0.25
    longest_s: float = 30.0

    def pause(self, tries: int, named_s: float | None = None) -> float | None:
        """Seconds until the next try after `tries`, of which a fifth is random; None: it was the last."""
        if tries >= self.most:
            return None
        if named_s is not None:
            return min(named_s, self.longest_s)
        return float(min(self.first_s * 2 ** (tries - 1), self.longest_s) * random.uniform(0.8, 1.0))


def may_repeat(call: Call[T], response: httpx.Response | None, error: httpx.TransportError | None) -> bool:
    """429 and a connection that was never made were certainly not carried out; of all else only a repeatable call can be sent again."""
    if response is not None:
        return response.status_code == 429 or (call.repeatable and response.status_code in AGAIN)
    return call.repeatable or isinstance(error, NOT_CARRIED_OUT)


def named_pause(response: httpx.Response | None) -> float | None:
    """`Retry-After` in seconds; dates are not read."""
    text = response.headers.get("Retry-After", "") if response is not None else ""
    return float(text) if text.isascii() and text.isdigit() else None


def read(call: Call[T], response: httpx.Response) -> T:
    """The result. Raises `SignalError`."""
    if not response.is_success:
        raise errors.of_status(response.status_code, words(response))
    try:
        return call.read(response.json())
    except (ValueError, KeyError, TypeError) as error:
        raise errors.ServerError(
            f"The response to {call.path} cannot be read: {error}", response.status_code
        ) from error


def words(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    found = body.get("error", body.get("detail")) if isinstance(body, dict) else None
    return str(found if found is not None else body)[:500]


def failure(error: httpx.TransportError, tries: int) -> SignalError:
    return errors.NoConnection(f"No response in {tries} tries: {type(error).__name__} {error}")


@dataclass(slots=True)
class Attempts:
    """The tries of one call. The caller sends, reports the outcome, and pauses for as long as `next` says."""

    retries: Retries
    tries: int = 0

    def next(
        self, call: Call[T], response: httpx.Response | None = None, error: httpx.TransportError | None = None
    ) -> float | None:
        """The pause before the next try; None where this outcome is final."""
        self.tries += 1
        return self.retries.pause(self.tries, named_pause(response)) if may_repeat(call, response, error) else None
