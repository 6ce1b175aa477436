"""What keeps a loaded machine from telling in a verdict: few turns of the loop for one answer, and no work done twice."""

import asyncio
import gc
from collections.abc import Iterator
from time import monotonic

import httpx
import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import cases, http_client, lateness
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Evidence, Location
from rollout_conformance.steps.engine.runner import LAST, LATE
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.peers.asgi_binding import DRIP_BYTES, MOST_DRIPS, MOST_TORN, dripped, is_inside
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.peers.scripted_backends import Backend, BackendResponse, Backends, BackendScript
from rollout_conformance.steps.profiles.rollout.view_reader import read_rollout
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.heavy.rollout import Played
from rollout_conformance.steps.tests.heavy.values import TOKENS

NONCE = "rc-0123abcd-1x"
FLOOD = Request(
    "POST", "/v1/chat/completions", (), f'{{"stream": true, "messages": [{{"content": "{NONCE}"}}]}}'.encode()
)


@pytest.mark.parametrize("size", [0, 1, DRIP_BYTES, 100, 2_000, 1_000_003])
def test_a_body_that_drips_takes_few_turns_of_the_loop(size: int) -> None:
    body = bytes(n % 251 for n in range(size))
    pieces = dripped(body)
    assert b"".join(pieces) == body
    assert 1 <= len(pieces) <= MOST_DRIPS + MOST_TORN
    assert len(pieces) > 1 or size <= DRIP_BYTES


@pytest.mark.parametrize(
    ("text", "torn"), [("é", 1), ("a" * 500 + "日本" + "b" * 500, 4), ("語" * 4_000, 5), ("abc", 0)]
)
def test_a_body_that_drips_is_cut_within_characters(text: str, torn: int) -> None:
    pieces = dripped(text.encode())
    assert b"".join(pieces).decode() == text
    assert sum(is_inside(piece[0]) for piece in pieces) >= torn


def test_a_flood_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    encoded = completion_responses.encoded

    def noting(value: object) -> bytes:
        written.append(value)
        return encoded(value)

    monkeypatch.setattr(completion_responses, "encoded", noting)
    everybody = Backends()
    everybody.add(BackendScript(NONCE, Trace(), (BackendResponse(size=16 * completion_responses.FLOOD_BYTES),)))
    play = Backend("a", everybody).receive(FLOOD)
    assert len(play.delivers) == 16 + 2
    assert len(written) == 2


def test_a_class_is_asked_once_whether_it_acts() -> None:
    class Acts:
        async def perform(self, session: object) -> None: ...

    class Judges:
        def judge(self, view: object, requirement: str) -> Iterator[Evidence]:
            yield from ()

    at = Location("x", 1)
    acts, judges = Step(Acts(), at), Step(Judges(), at)
    case = Case("one", "rollout", "sync", (), (acts, judges), at)
    assert case.actions == (acts,)
    assert case.expectations == (judges,)
    before = cases._is.cache_info().misses
    assert case.actions == (acts,)
    assert cases._is.cache_info().misses == before


def test_what_was_loaded_is_not_read_again_by_the_collector() -> None:
    kept = [[n] for n in range(1_000)]
    gc.unfreeze()
    try:
        lateness.set_aside()
        assert gc.get_freeze_count() >= len(kept)
        assert not any(one is kept for one in gc.get_objects())
    finally:
        gc.unfreeze()


async def _order(profile: str) -> list[tuple[bool, bool]]:
    """Of each case in its turn: whether it shares such an instance, and whether it needs one that has to be started for it or for few."""
    async with ready(RunOptions(profile=profile)) as run:
        mine = run.ordered(run.applicable(case_catalog.every(profile)))
        shared = [run.runner.instances.uses_pool(case) for case in mine]
        return [(pooled, bool(case.variant or case.alone)) for pooled, case in zip(shared, mine, strict=True)]


def test_cases_that_share_an_instance_of_their_own_begin_before_those_that_need_one_each() -> None:
    order = asyncio.run(_order("router"))
    positions = [n for n, (pooled, _) in enumerate(order) if pooled]
    after = [starts for _, starts in order[max(positions) :]]
    before = [starts for _, starts in order[: min(positions)]]
    assert sum(after) > 10 * sum(before)


async def _tags(profile: str) -> list[frozenset[str]]:
    """The tags of the cases, in the order in which the cases begin."""
    async with ready(RunOptions(profile=profile)) as run:
        return [case.tags for case in run.ordered(run.applicable(case_catalog.every(profile)))]


@pytest.mark.parametrize(("profile", "tag"), [("training", LATE), ("chat", LAST)])
def test_cases_that_may_spoil_a_target_begin_after_all_others(profile: str, tag: str) -> None:
    """Whatever such a case does to a target then falsifies no other one; those that may end it begin after those that only spoil it."""
    turns = [(LAST in tags) * 2 + (LATE in tags) for tags in asyncio.run(_tags(profile))]
    assert turns == sorted(turns)
    assert turns[0] == 0
    assert turns[-1] == {LATE: 1, LAST: 2}[tag]


def test_which_cases_may_spoil_a_training_target() -> None:
    late = {case.name for case in case_catalog.every("training") if LATE in case.tags}
    assert any(name.startswith("an optimizer step of NaN is rejected") for name in late)


class Counted(httpx.AsyncBaseTransport):
    """Stands for a pool of connections: says its number."""

    made = 0

    def __init__(self) -> None:
        Counted.made += 1
        self.number, self.closed = Counted.made, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=str(self.number))

    async def aclose(self) -> None:
        self.closed = True


def test_no_connection_from_before_is_used_after_the_suite_was_late() -> None:
    late: list[tuple[float, float]] = []

    def since(began: float) -> float:
        return max((late_s for came, late_s in late if came >= began), default=0.0)

    async def asked() -> list[str]:
        transport = http_client.Renewed(Counted, since)
        told = []
        for late_s in (0.0, 0.2, 3.0, 0.0):
            late.append((monotonic(), late_s))
            told.append((await transport.handle_async_request(httpx.Request("GET", "http://x/"))).text)
        await transport.aclose()
        assert all(isinstance(one, Counted) and one.closed for one in transport.made)
        return told

    assert asyncio.run(asked()) == ["1", "1", "2", "2"]


def test_the_seconds_by_which_the_suite_was_late_do_not_count() -> None:
    async def within(late_s: float) -> bool:
        try:
            async with lateness.limit(0.1, lambda began: late_s):
                await (asyncio.sleep(0.3) if late_s else asyncio.Event().wait())
        except TimeoutError:
            return False
        return True

    assert [asyncio.run(within(late_s)) for late_s in (0.0, 5.0)] == [False, True]


def test_an_event_is_waited_for_longer_while_the_suite_is_late() -> None:
    async def heard(late_s: float) -> bool:
        session = Session("http://x", httpx.AsyncClient(), Trace(), patience_s=0.05, settle_s=0.0)
        session.late = lambda began: late_s
        if late_s:
            asyncio.get_running_loop().call_later(0.4, session.trace.event, "", "server", "Came", 0)
        try:
            await session.until(lambda: bool(session.trace.events), "it comes")
        except WaitTimeout:
            return False
        return True

    assert [asyncio.run(heard(late_s)) for late_s in (0.0, 5.0)] == [False, True]


@pytest.mark.parametrize("status", ["COMPLETED", "ERROR"])
def test_whether_an_answer_came_too_late_is_shown_by_what_the_server_did_next(status: str) -> None:
    played = Played("sync", Script((Reply(text="Done."),)))
    played.ask()
    played.end(status=status)
    (asked,) = (e for e in played.trace.exchanges if not e.to_target)
    about = (played.trace, played.given, played.enrolled.issued, TOKENS, played.tools)

    def late(began: float) -> float:
        return 0.9 if began < played.trace.epoch + asked.began else 0.0

    assert len(read_rollout(*about, 1.0).generated) == 1
    assert len(read_rollout(*about, 5.0, late=late).generated) == 1
    assert len(read_rollout(*about, 1.0, late=late).generated) == (status == "COMPLETED")


def test_a_late_answer_that_was_asked_for_again_was_not_taken() -> None:
    played = Played("sync", Script((Reply(text="Late."), Reply(text="Done."))))
    before = list(played.messages)
    played.ask()
    played.messages = before
    played.ask()
    played.end()
    first = next(e for e in played.trace.exchanges if not e.to_target)
    about = (played.trace, played.given, played.enrolled.issued, TOKENS, played.tools)
    read = read_rollout(*about, 1.0, late=lambda began: 0.9 if began < played.trace.epoch + first.began else 0.0)
    assert [chat.delivered for chat in read.chats] == [False, True]


@pytest.mark.parametrize("status", ["COMPLETED", "ERROR"])
def test_an_answer_after_a_cancellation_may_be_dropped(status: str) -> None:
    played = Played("callback", Script((Reply(text="Late."),)))
    played.trace.event(played.given.label, "trainer", "CancelSent", 0)
    played.ask()
    played.end(status=status)
    about = (played.trace, played.given, played.enrolled.issued, TOKENS, played.tools)
    assert len(read_rollout(*about).generated) == (status == "COMPLETED")
