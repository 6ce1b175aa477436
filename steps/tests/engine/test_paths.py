"""What a target calls its things is part of a URL: whatever the text, the request goes to the path that was meant."""

import json

import httpx
import pytest

from rollout_conformance.steps.engine.http_client import path_segment, url
from rollout_conformance.steps.profiles.rollout.result_client import result_path
from rollout_conformance.steps.profiles.training.raw_requests import in_path
from rollout_conformance.steps.profiles.training.wire import Data, Signal

IDS = ["a/b", "a?b", "a#b", "a b", "ä", "a%2Fb", json.loads('"\\ud800x"')]


@pytest.mark.parametrize("text", IDS)
def test_any_id_is_one_segment(text: str) -> None:
    asked = url(f"http://target/runs/{path_segment(text)}/status?wait=1")
    *before, _, status = asked.raw_path.partition(b"?")[0].split(b"/")
    assert (before, status, asked.query) == ([b"", b"runs"], b"status", b"wait=1")


@pytest.mark.parametrize("text", IDS)
def test_each_call_keeps_the_id_in_its_segment(text: str) -> None:
    wire = Signal()
    paths = [
        wire.poll(text).path,
        wire.save(text, 0, "x", False).path,
        wire.optim_step(text, 0, {}).path,
        wire.forward_backward(text, 0, Data(), False).path,
        result_path(text),
    ]
    sent = [url("http://target" + path) for path in paths]
    assert all(f"/{path_segment(text)}".encode() in one.raw_path and not one.query for one in sent)


def test_the_name_of_a_checkpoint_stays_two_segments() -> None:
    assert in_path("weights/a b") == "weights/a%20b"


def test_a_lone_surrogate_is_sent_as_the_replacement_character() -> None:
    assert url("http://target/" + json.loads('"\\ud800"')) == httpx.URL("http://target/%EF%BF%BD")
