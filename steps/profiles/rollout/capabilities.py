"""Which capabilities a target of this profile has: what it shows, what its card declares, and how the suite is run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.profiles.parts import Contract
from rollout_conformance.steps.profiles.rollout.context import CALCULATOR, CaseContext

CONTRACT = Contract(ROOT / "contracts" / "rollout")
TEXTS = requirements.capabilities(CONTRACT.requirements)
UNSEEN = ("idempotency_key", "shown_id", "reward", "status", "cancel", "debug_trace")
"""Those that a target may have although nothing shows them; `status` and `cancel` are seen of the routed dialect only."""

PATIENT_S = 9.0  # a generation response after 7 s, and some time around it
LARGE_BYTES = 5 * 2**20
RESULT_HAS_METRICS = ("sync", "callback")


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What is known of a target in one dialect. `shown` are the capabilities that it was seen to have; `has_only_url` when the suite has not
    started it, and cannot stop it."""

    context: CaseContext
    shown: frozenset[str]
    has_only_url: bool

    def has(self, capability: str) -> bool:
        """Whether the target has a capability: those without a rule here are declared on the card, or were shown."""
        return RULES[capability](self) if capability in RULES else self.is_declared(capability)

    def is_declared(self, capability: str) -> bool:
        return self.context.card.declares(capability) or capability in self.shown


def _is_patient(facts: TargetFacts) -> bool:
    limits = facts.context.limits
    return all((limit or PATIENT_S) >= PATIENT_S for limit in (limits.generation_timeout_s, limits.rollout_timeout_s))


RULES: Mapping[str, Callable[[TargetFacts], bool]] = {
    "tools": lambda facts: bool(facts.context.usable_tools()),
    "calculator": lambda facts: set(CALCULATOR) <= facts.context.tool_names(),
    "part_of_calculator": lambda facts: bool(set(CALCULATOR) & facts.context.tool_names()),
    "server_key": lambda facts: facts.context.target_key is not None,
    "no_server_key": lambda facts: facts.context.target_key is None,
    "restart": lambda facts: not facts.has_only_url,
    "shipped_tokenizer": lambda facts: facts.context.tokenizer == TOKENIZER and not facts.context.tokenizer_name,
    "patience": _is_patient,
    "large_bodies": lambda facts: (facts.context.card.max_body_bytes or LARGE_BYTES) >= LARGE_BYTES,
    "tool_timeout": lambda facts: (
        facts.context.limits.tool_timeout_s is not None and facts.context.card.hanging_tool is not None
    ),
    "generation_timeout": lambda facts: facts.context.limits.generation_timeout_s is not None,
    "rollout_timeout": lambda facts: facts.context.limits.rollout_timeout_s is not None,
    "lease_timeout": lambda facts: facts.context.limits.lease_timeout_s is not None,
    "max_concurrent": lambda facts: facts.context.limits.max_concurrent is not None,
    "metrics": lambda facts: facts.context.dialect in RESULT_HAS_METRICS or facts.is_declared("metrics"),
}
