"""What is said to be missing for a case helps: whoever gives all of it has the case played, and what no capability gives is named."""

import asyncio
import re
from dataclasses import replace

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Setting
from rollout_conformance.steps.profiles.parts import REQUIRES, URL_ONLY, lacking

STARTED, URL = "cmd:server {port}", "http://127.0.0.1:1"
NAMED = re.compile(r"(?:^requires |; and )`(\w+)`: ")
LEAVE_OUT = {"branches"}  # capabilities that leave out cases: whoever declares them has fewer
NO_ADDRESS = ("127.0.0.1", 0)


def lacks(profile: str, capabilities: set[str], target: str = STARTED) -> dict[str, str]:
    """Why cases are skipped for a target of which nothing is known but these capabilities, by the ids of the cases."""
    kind = PROFILES[profile]
    card = kind.card.model_validate({"capabilities": sorted(capabilities)})

    def mine(case: Case) -> Case:
        return case if case.variant in card.variants else replace(case, variant="")

    async def found() -> dict[str, str]:
        async with kind.peers(Setting(target, card, None, None, None, NO_ADDRESS, "hints")) as peers:
            return {one.id: told for one in case_catalog.every(profile) if (told := peers.lacks(mine(one)))}

    return asyncio.run(found())


@pytest.mark.parametrize("profile", PROFILES)
def test_all_that_is_missing_is_named_at_once(profile: str) -> None:
    """Whoever declares all that is named has each case played, or told what else to give: an option, or a member of the card."""
    told = lacks(profile, set())
    declared = {name for reason in told.values() for name in NAMED.findall(reason)} - LEAVE_OUT
    for id, reason in lacks(profile, declared).items():
        assert NAMED.findall(reason), (id, reason)
        assert set(NAMED.findall(reason)) <= set(NAMED.findall(told[id])), (id, told[id], reason)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_no_capability_gives_is_named_as_it_is_written(profile: str) -> None:
    members = PROFILES[profile].card.model_fields
    everything = set(PROFILES[profile].needs)
    for reason in set(lacks(profile, everything).values()):
        if any(reason.startswith(f"`{name}` on the card: ") for name in LEAVE_OUT):
            continue  # it is not missing
        for part in reason.removeprefix(REQUIRES).split("; and "):
            written = re.findall(r"`(\w+):`", part)
            assert "`--" in part or written, part
            assert set(written) <= set(members), part


@pytest.mark.parametrize("profile", ["rollout", "router", "worker"])
def test_a_target_at_a_url_that_has_to_be_stopped_is_no_capability(profile: str) -> None:
    reasons = set(lacks(profile, set(), URL).values())
    assert URL_ONLY in reasons
    assert not URL_ONLY.startswith(REQUIRES)  # which no declaration of the card helps


def test_nothing_is_missing_where_everything_is_there() -> None:
    assert lacking({"a": "it is there"}, ()) is None
    assert lacking({"a": "it is there"}, ("own_b", "a")) == (
        "requires `a`: it is there; and `own_b`: a capability of your own, which the card has to declare"
    )
