"""The part of a stream that a message shows: the chunk that has changed, and those beside it."""

from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings

HEAD = ("id", "object", "created", "model")  # equal in all chunks


def chunks_around(events: Sequence[object], number: int) -> str:
    """The events from the one before to the one after this one, each as short as it may be."""
    first, last = max(0, number - 1), min(len(events), number + 2)
    shown = [f"{n}: {_shown(events[n])}" for n in range(first, last)]
    return f"{len(events)} events, of these " + ", ".join(shown) if shown else f"{len(events)} events"


def _shown(event: object) -> str:
    if not isinstance(event, Mapping):
        return show(event)
    choices = mappings(event.get("choices"))
    others = {name: value for name, value in event.items() if name not in (*HEAD, "choices")}
    alone = len(choices) == 1 and not others and mapping(choices[0]).keys() <= {"index", "delta", "finish_reason"}
    if alone and not choices[0].get("finish_reason"):
        return show(choices[0].get("delta"))
    return show({**others, "choices": event["choices"]} if "choices" in event else others)
