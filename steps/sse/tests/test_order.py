"""Events walked through a table."""

from rollout_conformance.steps.sse.order import Order, Walk

TABLE = {"server": {"OPEN": {"Chunk": "OPEN", "End": "DONE"}, "DONE": {}}}
ORDER = Order(TABLE, "server", {("DONE", "Chunk"): "X-2"}, "X-1")


def test_events_in_order_lead_from_state_to_state() -> None:
    walk = Walk(ORDER, "OPEN")
    assert [walk.step(event, "here") for event in ("Chunk", "Chunk", "End")] == [True, True, True]
    assert (walk.state, walk.found) == ("DONE", [])


def test_an_event_out_of_order_is_a_breach_of_its_requirement_and_changes_no_state() -> None:
    walk = Walk(ORDER, "DONE")
    assert [walk.step("Chunk", "event 3"), walk.step("End", "event 4")] == [False, False]
    assert walk.state == "DONE"
    assert walk.of("X-2") == ["event 3: Chunk while DONE; legal for the server in DONE: nothing, it is final"]
    assert [name for name, _ in walk.found] == ["X-2", "X-1"]


def test_what_is_legal_is_in_words() -> None:
    assert (ORDER.legal("OPEN"), ORDER.legal("DONE")) == ("Chunk, End", "nothing, it is final")
