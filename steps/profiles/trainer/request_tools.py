"""The tools that generation requests have themselves, where only the record shows the prompts (TRAINER-197)."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.lenient_json import listed, mappings
from rollout_conformance.steps.profiles.trainer.state import CaseView, RolloutState, recorded


def dropped_tools(view: CaseView) -> Iterator[Evidence]:
    """In the dialect `sync` each generation shows its prompt (TRAINER-183); in `callback` the first turn of the record does."""
    for rollout in view.rollouts.values() if view.dialect == "callback" else ():
        if rollout.sent_tools and rollout.records:
            yield from _of(view, rollout)


def first_prompts(view: CaseView, rollout: RolloutState) -> Iterator[str]:
    """The text of the prompt of the first turn in the record, of each branch where there are some."""
    for line in recorded(view.record(rollout)):
        for turn in mappings(line.get("turns"))[:1]:
            yield view.tokens.decode([one for one in listed(turn.get("prompt_token_ids")) if isinstance(one, int)])


def holds(prompt: str, tool: str) -> bool:
    return f"{tool}(" in prompt or f'"{tool}"' in prompt


def _of(view: CaseView, rollout: RolloutState) -> Iterator[Evidence]:
    names = [str(tool["function"]["name"]) for tool in rollout.sent_tools]
    for prompt in first_prompts(view, rollout):
        missing = [name for name in names if not holds(prompt, name)]
        if missing:
            expected = f"the tools {', '.join(names)} of the request in the prompt"
            yield Finding("TRAINER-197", expected, f"a prompt without {', '.join(missing)}", (rollout.records[-1],))
        else:
            yield Satisfied("TRAINER-197")
