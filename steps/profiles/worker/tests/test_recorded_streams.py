"""Streams of real servers are read without a breach, and those with a defect show the requirement that it breaks."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Location
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.invariants.counts import counters
from rollout_conformance.steps.profiles.worker.invariants.event_order import event_order
from rollout_conformance.steps.profiles.worker.invariants.orcd_members import ends, orcd_members
from rollout_conformance.steps.profiles.worker.invariants.text import readable, whole_text
from rollout_conformance.steps.profiles.worker.tests.streams import (
    llamacpp,
    llamacpp_end,
    response,
    sent,
    sglang,
    tgi,
    vllm,
    vllm_usage,
)
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

HERE = Location("a test", 1)
CASE = Case("a job", "worker", "orcd", ("WORKER-200",), (), HERE)
INVARIANTS = (event_order, readable, orcd_members, ends, counters, whole_text)
LENGTH, STOP, ABORT = (
    {"type": "length", "length": 4},
    {"type": "stop", "matched": "lo"},
    {"type": "abort", "message": "Aborted"},
)

SGLANG = (sglang("He", [1, 2]), sglang("Hello", [1, 2, 3]), sglang("Hello!", [1, 2, 3, 4], LENGTH), "[DONE]")
TGI = (tgi(1, "He"), tgi(2, "l"), tgi(3, "lo"), tgi(4, "!", whole="Hello!", reason="length"))
LLAMACPP = (llamacpp("He", [1]), llamacpp("l", [2]), llamacpp("lo", [3]), llamacpp("!", [4]), llamacpp_end(4, "limit"))
VLLM = (vllm([1]), vllm([2, 3]), vllm([4], "length"), vllm_usage(4), "[DONE]")


def broken(job: JobResponse) -> list[str]:
    """The requirements that the invariants find broken, in order and once each."""
    context = WorkerContext(Card(), None, DIALECTS[job.dialect.name])
    view = WorkerView(Trace(), Responses.of([job]), context, worker=context)
    found = (one for invariant in INVARIANTS for one in invariant(view))
    return list(dict.fromkeys(one.requirement for one in found if isinstance(one, Finding)))


RIGHT: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "SGLang": ("sglang", SGLANG, {}),
    "SGLang, a stop text that is cut back at the end": (
        "sglang",
        (sglang("Hel", [1, 2]), sglang("He", [1, 2, 3], STOP), "[DONE]"),
        {"stop": ("lo",)},
    ),
    "SGLang, aborted with its tokens": ("sglang", (sglang("He", [1, 2]), sglang("He", [1, 2], ABORT), "[DONE]"), {}),
    "SGLang, an error as data": (
        "sglang",
        (sglang("He", [1, 2]), {"error": {"message": "out of memory"}}, "[DONE]"),
        {},
    ),
    "TGI": ("tgi", TGI, {}),
    "TGI, an end of the text": ("tgi", (tgi(1, "Hi"), tgi(2, "</s>", True, "Hi", "eos_token")), {}),
    "TGI, a stop text that is kept": (
        "tgi",
        (tgi(1, "He"), tgi(2, "llo", whole="Hello", reason="stop_sequence")),
        {"stop": ("llo",)},
    ),
    "TGI, an error as data": ("tgi", (tgi(1, "He"), {"error": "out of memory", "error_type": "generation"}), {}),
    "llama.cpp": ("llamacpp", LLAMACPP, {}),
    "llama.cpp without return_tokens": (
        "llamacpp",
        (llamacpp("He", []), llamacpp("l", []), llamacpp_end(2, "limit")),
        {"max_tokens": 2},
    ),
    "llama.cpp, a word that is cut": (
        "llamacpp",
        (llamacpp("He", [1]), llamacpp("", [2]), llamacpp_end(2, "word", "llo")),
        {"stop": ("llo",)},
    ),
    "llama.cpp, half a character that is held back": (
        "llamacpp",
        (llamacpp("", [1]), llamacpp("", [2]), llamacpp("龙", [3]), llamacpp_end(3, "limit")),
        {"max_tokens": 3},
    ),
    "vLLM": ("vllm-generate", VLLM, {}),
    "vLLM, aborted": ("vllm-generate", (vllm([1]), vllm([], "abort"), vllm_usage(1), "[DONE]"), {}),
    "vLLM, a failure with its usage": (
        "vllm-generate",
        (vllm([1]), {"error": {"message": "out of memory", "code": 500}}, vllm_usage(1), "[DONE]"),
        {},
    ),
}

WRONG: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "SGLang, no end": ("sglang", SGLANG[:2], "WORKER-005"),
    "SGLang, an event after the end": ("sglang", (*SGLANG[:3], SGLANG[2]), "WORKER-006"),
    "SGLang, text that is new and ids that are all": (
        "sglang",
        (sglang("He", [1, 2]), sglang("llo", [1, 2, 3]), sglang("!", [1, 2, 3, 4], None)),
        "WORKER-104",
    ),
    "SGLang, ids that are new": (
        "sglang",
        (sglang("He", [1, 2]), sglang("Hello", [3]), sglang("Hello!", [4], LENGTH)),
        "WORKER-104",
    ),
    "SGLang, an abort without its tokens": ("sglang", (sglang("He", [1, 2]), sglang("", [], ABORT)), "WORKER-107"),
    "SGLang, a log probability less": (
        "sglang",
        (sglang("He", [1], LENGTH) | {"output_ids": [1, 2]}, "[DONE]"),
        "WORKER-102",
    ),
    "TGI, no whole text": ("tgi", TGI[:3], "WORKER-005"),
    "TGI, another whole text": ("tgi", (*TGI[:3], tgi(4, "!", whole="Bye!", reason="length")), "WORKER-105"),
    "TGI, a counter that is one less": (
        "tgi",
        (*TGI[:3], {**TGI[3], "details": {"finish_reason": "length", "generated_tokens": 3}}),
        "WORKER-009",
    ),
    "llama.cpp, a counter that is one more": ("llamacpp", (*LLAMACPP[:4], llamacpp_end(5, "limit")), "WORKER-009"),
    "llama.cpp, log probabilities of other tokens": (
        "llamacpp",
        (LLAMACPP[0] | {"completion_probabilities": [{"id": 2, "logprob": -0.5}]}, *LLAMACPP[1:]),
        "WORKER-102",
    ),
    "llama.cpp, an event after the end": ("llamacpp", (*LLAMACPP, LLAMACPP[0]), "WORKER-006"),
    "llama.cpp, a character that is split": (
        "llamacpp",
        (llamacpp("\ufffd", [1]), llamacpp("\ufffd", [2]), llamacpp("a", [3]), llamacpp_end(3, "limit")),
        "WORKER-011",
    ),
    "llama.cpp, a word that the request does not have": (
        "llamacpp",
        (llamacpp("He", [1]), llamacpp_end(1, "word", "llo")),
        "WORKER-013",
    ),
    "vLLM, ids that are all": (
        "vllm-generate",
        (vllm([1]), vllm([1, 2]), vllm([1, 2, 3], "length"), vllm_usage(3)),
        "WORKER-104",
    ),
    "vLLM, no finish_reason": ("vllm-generate", (vllm([1]), "[DONE]"), "WORKER-005"),
    "vLLM, data that is cut": ("vllm-generate", (vllm([1]), '{"choices": [{"tok', vllm([2], "length")), "WORKER-011"),
    "vLLM, versions with a gap": (
        "vllm-generate",
        (vllm([1, 2]), vllm([3], "length", weight_versions=[{"version": "a", "start": 1, "end": 3}]), vllm_usage(3)),
        "WORKER-116",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_stream_breaks_nothing(name: str) -> None:
    dialect, events, spec = RIGHT[name]
    job = response(dialect, sent(*events, space=dialect != "tgi"), **spec)
    assert broken(job) == []
    assert job.transcript.terminals


@pytest.mark.parametrize("name", WRONG)
def test_a_defect_is_found(name: str) -> None:
    dialect, events, requirement = WRONG[name]
    assert requirement in broken(response(dialect, sent(*events)))


@pytest.mark.parametrize(
    ("dialect", "events", "text", "ids", "reason"),
    [
        ("sglang", SGLANG, "Hello!", (1, 2, 3, 4), "length"),
        ("tgi", TGI, "Hello!", (1, 2, 3, 4), "length"),
        ("llamacpp", LLAMACPP, "Hello!", (1, 2, 3, 4), "length"),
        ("vllm-generate", VLLM, "", (1, 2, 3, 4), "length"),
    ],
)
def test_all_dialects_are_read_as_one_list_of_events(
    dialect: str, events: tuple[Any, ...], text: str, ids: tuple[int, ...], reason: str
) -> None:
    job = response(dialect, sent(*events))
    found = job.transcript
    assert (found.text, found.ids, job.reason) == (text, ids, reason)
    assert found.count == 4
