"""The check of the response mask in generation requests."""

from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.trainer.support import USER, bench, play


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


MASKS = {
    "none": lambda right: None,
    "one short": lambda right: right[1:],
    "one too many": lambda right: [*right, 0],
    "empty": lambda right: [],
    "a two": lambda right: [2, *right[1:]],
    "a minus one": lambda right: [-1, *right[1:]],
    "a text": lambda right: ["0", *right[1:]],
    "a half": lambda right: [0.5, *right[1:]],
    "a truth": lambda right: [False, *right[1:]],
}


@pytest.mark.parametrize("change", MASKS.values(), ids=MASKS.keys())
def test_a_wrong_mask_is_rejected_and_changes_nothing(change: Any) -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open()
        messages, mask = await b.called()
        before = await b.record()
        response = await b.ask(messages, change(mask))
        assert response.status_code == 422
        assert response.json()["error"]["message"].startswith("response_mask")
        assert await b.record() == before
        assert (await b.ask(messages, mask)).status_code == 200

    play(scenario)


def test_a_mask_on_the_first_call_is_rejected() -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open()
        assert code(await b.ask([USER], [0])) == (422, "invalid_response_mask")

    play(scenario)


def test_the_callback_dialect_has_no_mask() -> None:
    async def scenario() -> None:
        b = bench("callback")
        await b.open()
        assert (await b.ask([USER], response_mask=[7])).status_code == 200

    play(scenario)
