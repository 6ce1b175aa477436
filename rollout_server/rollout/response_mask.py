"""The response mask of the sync dialect, and the check that both sides count the same tokens. Numbers in, numbers out.

    | prompt of turn 1 | sampled 1 | inserted | sampled 2 | inserted | sampled 3
                                    ^ mask of call 2        ^ mask of call 3

A mask covers exactly the tokens that this server inserted since the last sampled token: tool results, text of the
template and the next generation prompt. The policy sampled none of them, so the mask is all zeros; the trainer knows its
own tokens.
"""

from dataclasses import dataclass

from rollout_conformance.rollout_server.rollout import errors


@dataclass(frozen=True, slots=True)
class Turn:
    """Lengths in tokens: the prompt as this server renders it, the prompt of the trainer, and what was sampled."""

    prompt: int
    trainer_prompt: int
    sampled: int


def mask_for(last: Turn | None, prompt: int) -> list[int] | None:
    """The mask to send with a prompt of this length."""
    if last is None:
        return None
    inserted = count_inserted(last, prompt)
    if inserted < 0:
        raise errors.conversation("the rendered conversation has become shorter than what was sampled")
    return zeros(inserted)


def count_inserted(last: Turn, prompt: int) -> int:
    return prompt - (last.prompt + last.sampled)


def zeros(count: int) -> list[int] | None:
    return [0] * count or None  # an empty mask is left out


def check_alignment(last: Turn | None, now: Turn) -> None:
    """Both prompts must grow by the same number. A constant difference is the tool list, which only the trainer renders."""
    if last is not None and drift(last, now):
        raise errors.conversation(
            f"the prompt grew by {now.trainer_prompt - last.trainer_prompt} tokens at the trainer "
            f"but by {now.prompt - last.prompt} here"
        )


def drift(last: Turn, now: Turn) -> int:
    return (now.trainer_prompt - last.trainer_prompt) - (now.prompt - last.prompt)
