"""The order of events: the tables are sound, and an event out of order is told with what was legal."""

import pytest

from rollout_conformance.contracts.lifecycle import OutOfOrder, advance, check, legal, mermaid, states
from rollout_conformance.contracts.rollout.lifecycle import (
    BREACHES,
    DONE,
    GRADED,
    IDLE,
    REJECTED,
    STARTED,
    TABLES,
    WAITING,
)

STORY = {
    "sync": [
        "StartSent",
        "GenerationRequested",
        "GenerationReturned",
        "GenerationRequested",
        "GenerationFailed",
        "GenerationRequested",
        "GenerationReturned",
        "ResultReturned",
    ],
    "callback": [
        "StartSent",
        "GenerationRequested",
        "StartAccepted",
        "GenerationReturned",
        "CompletedSent",
        "CompletedUnacknowledged",
        "CompletedSent",
        "CompletedAcknowledged",
    ],
    "routed": [
        "StartSent",
        "StartAccepted",
        "GenerationRequested",
        "GenerationReturned",
        "CompletedSent",
        "CompletedAcknowledged",
        "GradedSent",
        "GradedUnacknowledged",
        "GradedSent",
        "CancelSent",
        "GradedAcknowledged",
    ],
    "leased": [
        "StartSent",
        "StartAccepted",
        "GenerationRequested",
        "GenerationReturned",
        "ResultReturned",
        "CancelSent",
        "ResultReturned",
    ],
}


def role_of(event: str) -> str:
    return "trainer" if any(event in row for row in TABLES["routed"]["trainer"].values()) else "server"


@pytest.mark.parametrize("dialect", TABLES)
def test_the_table_is_sound(dialect: str) -> None:
    assert check(TABLES[dialect]) == []


@pytest.mark.parametrize("dialect", TABLES)
def test_a_whole_rollout_ends_in_done(dialect: str) -> None:
    state = IDLE
    for event in STORY[dialect]:
        after = advance(TABLES[dialect], state, role_of(event), event)
        assert isinstance(after, str), after
        state = after
    assert state == (GRADED if dialect == "routed" else DONE)


def test_a_disorder_names_what_was_legal_and_changes_nothing() -> None:
    breach = advance(TABLES["callback"], WAITING, "server", "GenerationRequested")
    assert isinstance(breach, OutOfOrder)
    assert str(breach).startswith(
        "GenerationRequested while WAITING; legal for the server in WAITING: CompletedSent, GenerationDisconnected"
    )
    assert advance(TABLES["callback"], REJECTED, "server", "GenerationRequested") == OutOfOrder(
        "server", REJECTED, "GenerationRequested", ()
    )


def test_every_breach_is_illegal_somewhere() -> None:
    for state, event in BREACHES:
        tables = [table for table in TABLES.values() if state in states(table)]
        assert any(("server", event) not in legal(table, state) for table in tables), (state, event)


def test_the_diagram_shows_every_change_of_state() -> None:
    assert f"    {STARTED} --> {WAITING}: server: GenerationRequested" in mermaid(TABLES["sync"])


def test_a_bad_table_is_told() -> None:
    assert check({"a": {"X": {"go": "Y"}}, "b": {}}) == [
        "a transition leads to Y, which has no row",
        "b has no row for X",
    ]
