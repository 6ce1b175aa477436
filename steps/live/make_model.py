"""Makes the tiny model that the project ships: `python -m rollout_conformance.steps.live.make_model scenarios/model`.

Needs torch and transformers (the `model` extra), some minutes on two cores, and nothing else: the text is made from a seed, the
tokenizer is the shipped one. Nothing at run time imports this module. The model is shipped because floating point differs from
machine to machine: the same command elsewhere gives a model that behaves alike, not the same bytes.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from rollout_conformance.steps.live.training_data import lessons
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers.tokenizer_corpus import Conversation
from rollout_conformance.steps.peers.tokens import END_OF_TURN, Tokens, load

SEED = 0
LESSONS = 24_000
STEPS = 900
BATCH_TOKENS = 4096
LONGEST = 768  # tokens of a conversation; longer ones are left out
CONTEXT = 4096
IGNORED = -100
OPENING = "<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids, and for each the id that is to be learned there, `IGNORED` for what the policy does not say."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


def example(tokens: Tokens, conversation: Conversation) -> Example:
    text = tokens.render(conversation.messages, conversation.tools, generation=False)
    ids, labels = [], []
    for part, said in _parts(text):
        encoded = tokens.encode(part)
        ids += encoded
        labels += encoded if said else [IGNORED] * len(encoded)
    return Example(tuple(ids), tuple(labels))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The rendered text in pieces, each with whether the assistant said it; its end of turn is part of that."""
    head, *turns = text.split(OPENING)
    yield head, False
    for turn in turns:
        said, end, rest = turn.partition(END_OF_TURN)
        yield OPENING, False
        yield said + end, True
        yield rest, False


def architecture(tokens: Tokens) -> Qwen3ForCausalLM:
    """Qwen3 with a million parameters. Heads of 32, the smallest that vLLM's attention on a CPU takes."""
    end = tokens.end_of_turn
    config = Qwen3Config(
        vocab_size=1536,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=0,
        attn_implementation="sdpa",
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=0, do_sample=False)
    return model


def batches(examples: Sequence[Example], draw: random.Random) -> Iterator[list[Example]]:
    """Examples of about one length together, for ever, in another order every time."""
    while True:
        order = list(examples)
        draw.shuffle(order)
        epoch: list[list[Example]] = []
        for at in range(0, len(order), 512):
            batch: list[Example] = []
            for one in sorted(order[at : at + 512], key=lambda e: len(e.ids)):
                if batch and (len(batch) + 1) * len(one.ids) > BATCH_TOKENS:
                    epoch.append(batch)
                    batch = []
                batch.append(one)
            epoch.append(batch)
        draw.shuffle(epoch)
        yield from epoch


def loss(model: Any, batch: Sequence[Example]) -> torch.Tensor:
    longest = max(len(one.ids) for one in batch)
    ids = torch.tensor([one.ids + (0,) * (longest - len(one.ids)) for one in batch])
    labels = torch.tensor([one.labels + (IGNORED,) * (longest - len(one.ids)) for one in batch])
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    said = wanted != IGNORED
    return functional.cross_entropy(model.lm_head(hidden[said]).float(), wanted[said])


def train(model: Any, examples: Sequence[Example], steps: int) -> float:
    """Gives the running mean of the loss at the end."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=0.02, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    mean, began = 0.0, time.monotonic()
    for step, batch in zip(range(steps), batches(examples, random.Random(SEED)), strict=False):
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * _pace(step, steps)
            optimizer.zero_grad(set_to_none=True)
        wrong = loss(model, batch)
        wrong.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        mean = wrong.item() if step == 0 else 0.95 * mean + 0.05 * wrong.item()
        if step % 50 == 0:
            print(f"step {step:4} loss {mean:.4f}  {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    return mean


def _pace(step: int, steps: int) -> float:
    """Twenty steps up, full speed for half of the way, then down to nothing."""
    return min(1.0, (step + 1) / 20) * min(1.0, max(0.02, 2 * (1 - step / steps)))


def examine(model: Any, examples: Sequence[Example]) -> float:
    """The share of assistant turns that come out word for word, each token given the right ones before it."""
    right = turns = 0
    for one in examples:
        with torch.no_grad():
            guessed = model(torch.tensor([one.ids])).logits[0, :-1].argmax(-1).tolist()
        good: bool | None = None
        for wanted, guess in zip(one.labels[1:], guessed, strict=True):
            if wanted == IGNORED and good is not None:
                turns, right, good = turns + 1, right + good, None
            elif wanted != IGNORED:
                good = (good is not False) and wanted == guess
    return right / turns if turns else 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory", type=Path)
    options.add_argument("--steps", type=int, default=STEPS)
    given = options.parse_args()
    torch.manual_seed(SEED)
    tokens = load(TOKENIZER)
    known = [example(tokens, one) for one in lessons(SEED, LESSONS)]
    model = architecture(tokens)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(known)} lessons")  # noqa: T201
    model.train()
    mean = train(model, [one for one in known if len(one.ids) <= LONGEST], given.steps)
    model.eval()
    model.save_pretrained(given.directory, safe_serialization=True)
    unseen = [example(tokens, one) for one in lessons(SEED + 1, 300)]
    print(f"loss {mean:.5f}; turns exactly right in unseen lessons: {examine(model, unseen):.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
