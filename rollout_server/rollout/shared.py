"""What the processes of a rollout server share: its limits, and the idempotency keys."""

from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.shared_state import SharedState
from rollout_conformance.rollout_server.rollout import key_claims, shared_slots
from rollout_conformance.rollout_server.rollout.key_claims import KeyClaims
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.shared_slots import SharedSlots


def slots_and_claims(settings: Settings, group: Group) -> tuple[SharedSlots, KeyClaims]:
    state = SharedState(group.folder, shared_slots.TABLES + key_claims.TABLES)
    slots = SharedSlots(settings.max_concurrent, settings.max_queued, state, group.index)
    return slots, KeyClaims(state, group.index)
