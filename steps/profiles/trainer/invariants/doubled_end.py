"""The token that ends a turn, once more in the prompt of a later turn (TRAINER-313).

A trainer that keeps the sampled ids, and finds what was inserted behind them in the rendered text, inserts the end of the turn once more where the
text that it has of the turn lacks it.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mappings
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.trainer.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState, recorded

REQUIREMENT = 313
Ids = Sequence[object]
SHOWN = 8  # inserted tokens in a finding


def doubled_ends(view: CaseView) -> Iterator[Evidence]:
    """Each prompt that continues sampled tokens: of the generations that have ids, and of the record."""
    for rollout in view.rollouts.values():
        sent = "".join(json.dumps(call.body, ensure_ascii=False, default=str) for call in rollout.calls)
        for past, prompt, n in (*_generations(view, rollout), *_turns(view, rollout)):
            yield from _judged(view.tokens, past, prompt, sent, n)


def _generations(view: CaseView, rollout: RolloutState) -> Iterator[tuple[Ids, Ids, int]]:
    """(prompt and sampled ids of the generation that it continues, its prompt, its exchange)"""
    earlier: list[Ids] = []
    for call, body in view.replies(rollout) if view.shows_tokens else ():
        prompt = listed(body.get("prompt_token_ids"))
        continued = (ids for ids in earlier if prompt[: len(ids)] == ids)
        yield max(continued, key=len, default=[]), prompt, call.n
        earlier.append(_ids(body))


def _turns(view: CaseView, rollout: RolloutState) -> Iterator[tuple[Ids, Ids, int]]:
    """The same of the turns in each line of the record."""
    for line in recorded(view.record(rollout)):
        for before, turn in pairwise(mappings(line.get("turns"))):
            yield _ids(before), listed(turn.get("prompt_token_ids")), rollout.records[-1]


def _ids(turn: JsonObject) -> Ids:
    return [*listed(turn.get("prompt_token_ids")), *listed(turn.get("token_ids"))]


def _judged(tokens: Tokens, past: Ids, prompt: Ids, sent: str, n: int) -> Iterator[Evidence]:
    """Nothing where the messages themselves have the text of the token, or the prompt does not continue the ids (TRAINER-189)."""
    known = [id for id in past if isinstance(id, int)]
    inserted = prompt[len(past) :]
    if prompt[: len(past)] != past or not inserted or not tokens.ends_turn(known) or len(known) < len(past):
        return
    end = tokens.decode(known[-1:])
    if end in sent:
        return
    if inserted[0] == past[-1]:
        shown = tokens.decode([id for id in inserted[:SHOWN] if isinstance(id, int)])
        yield broken(REQUIREMENT, f"{end} once, as it was sampled", f"behind the sampled {end}: {shown}...", n)
    else:
        yield satisfied(REQUIREMENT)
