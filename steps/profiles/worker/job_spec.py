"""A job as a case means it, without a wire format: each dialect writes it in its own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JobSpec:
    """`max_tokens` and `seed` None are left out of the request; `prompt_ids` stand for the prompt in dialects that take ids. `shows` requests ids
    and log probabilities where the dialect has them on request, `has_text` text, `ignores_eos` an output that the end of the text does not
    end. `more` are members as they are on the wire, `without` the paths of members that are not sent. `alternatives` is how many likely tokens
    are requested beside each one, `scores_prompt` requests the log probabilities of the prompt, `stop_ids` end the job as well, and
    `excluded_ids` are not to be sampled. `others` are further prompts of the same request, `samples` how many outputs each
    has."""

    id: str
    prompt: str
    prompt_ids: tuple[int, ...] = ()
    by_ids: bool = False
    max_tokens: int | None = None
    temperature: float | None = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = True
    shows: bool = True
    has_text: bool = True
    ignores_eos: bool = False
    sampling: Mapping[str, object] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    alternatives: int = 0
    scores_prompt: bool = False
    stop_ids: tuple[int, ...] = ()
    excluded_ids: tuple[int, ...] = ()
    others: tuple[str, ...] = ()
    samples: int = 1

    @property
    def prompts(self) -> str | list[str]:
        """The prompt as a text, or a list of several."""
        return [self.prompt, *self.others] if self.others else self.prompt

    @property
    def stops(self) -> list[str] | None:
        """The stop texts as a member of a request; None leaves it out."""
        return list(self.stop) or None

    def finished(self, body: Mapping[str, object]) -> dict[str, object]:
        """A request with what the case itself writes, and without what it leaves out."""
        found = merged(body, self.more)
        for path in self.without:
            found = _without(found, path.split("."))
        return found


def merged(body: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """Members over members; an object within an object is merged as well."""
    found = dict(body)
    for name, value in more.items():
        below = found.get(name)
        found[name] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return found


def _without(body: Mapping[str, object], path: list[str]) -> dict[str, object]:
    name, *rest = path
    if not rest:
        return {key: value for key, value in body.items() if key != name}
    below = body.get(name)
    return {**body, name: _without(below, rest)} if isinstance(below, Mapping) else dict(body)


def present(**members: object) -> dict[str, object]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
