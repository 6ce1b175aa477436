"""Defects of the response mask."""

from typing import Any

from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around
from rollout_conformance.rollout_server.mutants.rollout.patches import change_request, set_members
from rollout_conformance.rollout_server.rollout import (
    response_mask,
    tokenizer_cache,
)


def _mask(change: Any) -> Any:
    return around(response_mask, "mask_for", lambda o, last, prompt: change(o(last, prompt), last, prompt))


def _any_tokenizer(original: Any, name: str, revision: Any) -> Any:
    try:
        return original(name, revision)
    except Exception:
        return original(str(SHIPPED_TOKENIZER), None)


MUTANTS = (
    Mutant(
        "tokenizer_replaced",
        breaks="287",
        what="a tokenizer that cannot be loaded is replaced by another one",
        patch=around(tokenizer_cache, "load", _any_tokenizer),
        dialects=SYNC,
    ),
    Mutant(
        "mask_at_once",
        breaks="054",
        what="the first call has a mask",
        patch=_mask(lambda m, last, prompt: [0] * prompt if last is None else m),
        dialects=SYNC,
    ),
    Mutant(
        "mask_short",
        breaks="055",
        also=("060",),
        what="a mask is one too short",
        patch=_mask(lambda m, last, prompt: m[:-1] if m else m),
        dialects=SYNC,
    ),
    Mutant(
        "mask_of_twos",
        breaks="056",
        what="a mask has other values",
        patch=_mask(lambda m, last, prompt: [2] * len(m) if m else m),
        dialects=SYNC,
    ),
    Mutant(
        "mask_of_ones",
        breaks="057",
        what="a mask of ones for inserted tokens",
        patch=_mask(lambda m, last, prompt: [1] * len(m) if m else m),
        dialects=SYNC,
    ),
    Mutant(
        "mask_wide",
        breaks="058",
        also=("055",),
        what="a mask includes sampled tokens",
        patch=_mask(lambda m, last, prompt: m + [0] * last.sampled if m else m),
        dialects=SYNC,
    ),
    Mutant(
        "mask_clamped",
        breaks="059",
        what="a negative length is treated as none",
        patch=after(response_mask, "count_inserted", lambda n: max(n, 0)),
        dialects=SYNC,
    ),
    Mutant(
        "mask_empty",
        breaks="060",
        also=("054",),
        what="nothing inserted is sent as an empty list",
        patch=_mask(lambda m, last, prompt: m or []),
        dialects=SYNC,
    ),
    Mutant(
        "mask_anyway",
        breaks="061",
        what="a mask in the callback dialect",
        patch=change_request(set_members(response_mask=[0, 0])),
        dialects=CALLBACK,
    ),
)
