"""The prompts in the record of a trainer whose generations show none: those of the dialect `callback`."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.profiles.trainer.invariants.generation_tokens import rendered_prompt
from rollout_conformance.steps.profiles.trainer.request_tools import holds
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState


def recorded_prompts(view: CaseView) -> Iterator[Evidence]:
    """Each turn of the record has the prompt of its generation request."""
    if view.dialect != "callback" or view.branched:
        return
    for rollout in view.rollouts.values():
        yield from _of(view, rollout)


def _of(view: CaseView, rollout: RolloutState) -> Iterator[Evidence]:
    """A record with another number of turns than were generated before it was read is judged by TRAINER-190."""
    turns = mappings(view.record(rollout).get("turns"))
    calls = [call for call, _ in view.replies(rollout) if call.n < max(rollout.records, default=0)]
    past: list[int] = []
    for call, turn in zip(calls, turns, strict=True) if len(calls) == len(turns) else ():
        prompt, sampled = _ids(turn.get("prompt_token_ids")), _ids(turn.get("token_ids"))
        if not prompt:
            return
        if _has_tools(view, rollout, prompt):
            yield rendered_prompt(view, call, prompt, past, rollout)
        past = [*prompt, *sampled]


def _ids(value: object) -> list[int]:
    """A list of ids; [] for anything else."""
    ids = [one for one in listed(value) if isinstance(one, int) and not isinstance(one, bool)]
    return ids if len(ids) == len(listed(value)) else []


def _has_tools(view: CaseView, rollout: RolloutState, prompt: list[int]) -> bool:
    """Whether the tools are in a prompt: TRAINER-197 judges that."""
    text = view.tokens.decode(prompt)
    return all(holds(text, str(mapping(mapping(tool).get("function")).get("name"))) for tool in rollout.tools)
