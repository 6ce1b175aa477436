"""Defects of credentials, in both directions."""

from typing import Any

from rollout_conformance.rollout_server.common import auth
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.rollout import (
    generation,
    trainer_client,
)


def _log_keys() -> None:
    import sys

    def sampling(original: Any, asked: Any) -> Any:
        sys.stderr.write(f"asking with {asked.api_key}\n")
        return original(asked)

    around(generation, "sampling", sampling)()


def _first_key() -> Any:
    keys: list[str] = []

    def headers(original: Any, api_key: str | None) -> Any:
        if api_key:
            keys.append(api_key)
        return original(keys[0] if keys else api_key)

    return around(trainer_client, "headers", headers)


def _own_key() -> None:
    import os

    around(trainer_client, "headers", lambda original, key: original(os.environ.get("ROLLOUT_SERVER_KEY") or key))()


def _own_key_by_default() -> None:
    import os

    around(trainer_client, "headers", lambda original, key: original(key or os.environ.get("ROLLOUT_SERVER_KEY")))()


def _begins_with(value: bytes, key: bytes) -> bool:
    return (auth.bearer_token(value) or b"").startswith(key)


MUTANTS = (
    Mutant(
        "keyless_sync",
        breaks="166",
        what="calls carry no key",
        patch=around(trainer_client, "headers", lambda o, key: o(None)),
        dialects=SYNC,
    ),
    Mutant(
        "bearer_none",
        breaks="167",
        what="an Authorization header is sent although there is no key",
        patch=around(trainer_client, "headers", lambda o, key: o(key or "none")),
    ),
    Mutant(
        "keyless_callback",
        breaks="168",
        also=("143", "177"),
        what="calls carry no key",
        patch=around(trainer_client, "headers", lambda o, key: o(None)),
        dialects=CALLBACK,
    ),
    Mutant(
        "open_door",
        breaks="169",
        also=("015", "172", "173", "174"),
        what="the server's key is not required",
        patch=put(auth, "is_allowed", lambda request, key: True),
        dialects=CALLBACK,
    ),
    Mutant(
        "longer_keys",
        breaks="169",
        what="a key that begins with that of the server is accepted",
        patch=put(auth, "matches", _begins_with),
        dialects=CALLBACK,
    ),
    Mutant(
        "Bearer_only",
        breaks="170",
        what="the scheme Bearer is compared case-sensitively",
        patch=put(auth, "matches", lambda value, key: value == b"Bearer " + key),
        dialects=CALLBACK,
    ),
    Mutant(
        "ascii_keys",
        breaks="172",
        what="a key outside ASCII is a server error",
        patch=around(auth, "matches", lambda o, value, key: o(value.decode("ascii").encode(), key)),
        dialects=CALLBACK,
    ),
    Mutant("logs_keys", breaks="175", what="the key is logged", patch=_log_keys),
    Mutant(
        "first_key",
        breaks="176",
        also=("166", "168", "143", "167", "177"),
        what="the first key is sent for all rollouts",
        patch=_first_key(),
    ),
    Mutant(
        "own_key",
        breaks="177",
        also=("167", "168", "143", "175"),
        what="the server's own key is sent to the trainer",
        patch=_own_key,
        dialects=CALLBACK,
    ),
    Mutant(
        "own_key_by_default",
        breaks="177",
        also=("167",),
        what="the server's own key is sent to a trainer that has given none",
        patch=_own_key_by_default,
        dialects=CALLBACK,
    ),
)
