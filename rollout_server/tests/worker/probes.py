"""What a worker answers to one of each kind of request, without what differs from run to run. Two conforming workers with the same
model and the same choices answer equally; a defect shows as a difference."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from rollout_conformance.rollout_server.tests.worker.support import job, next_event, worker
from rollout_conformance.rollout_server.tests.worker.test_dialects import (
    IDS,
    LLAMA,
    PROMPT,
    SGLANG,
    TGI,
    VLLM,
    llama,
    sglang,
    tgi,
    vllm,
)

LARGE = 6  # digits
SHORT = 450  # characters of a response without tokens
PATIENCE_S = 0.3  # how long a probe waits for what a right worker does at once
UUID = "6f1a3c52-95d5-4d34-8c0c-3b8d6b1f7e10"
CHANGING = re.compile(r'"(worker_id|uptime_seconds|created|predicted_ms|predicted_per_second)": [^,}]+|[0-9a-f]{32}')
HOT = {"temperature": 1.0, "seed": 7}
SEEDED = {"temperature": 1.0, "sampling_seed": 7}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def stable(text: str) -> str:
    for name in ("tokens_per_sec", "decode_time_ms", "vram_bytes", "vram_bytes_used"):
        text = re.sub(rf'"({name})": ?(-?)(\d+)[.\d]*', order_of_magnitude, text)
    text = re.sub(r'"started_at": ?"([^"]*)"', lambda found: f"started_at {is_now(found[1])}", text)
    return CHANGING.sub("", text.replace('":', '": ').replace('":  ', '": '))


def order_of_magnitude(found: re.Match[str]) -> str:
    return f"{found[1]} {found[2]} {len(found[3]) > LARGE}"


def is_now(written: str) -> bool:
    with contextlib.suppress(ValueError):
        return abs(datetime.fromisoformat(written) - datetime.now(UTC)) < timedelta(minutes=5)
    return False


async def asked(client: httpx.AsyncClient, path: str, body: Any, method: str = "POST", **headers: str) -> str:
    try:
        response = await client.request(method, path, json=body, headers=headers, timeout=PATIENCE_S * 10)
    except httpx.HTTPError as error:
        return f"{path} {type(error).__name__}"
    kind = response.headers.get("content-type")
    return f"{path} {response.status_code} {kind} {stable(response.text)}"


def requests() -> list[tuple[str, Any]]:
    stops = ["a b c", "\n", "e", "th", "E", " e "]
    found: list[tuple[str, Any]] = [
        ("/execute", job(max_tokens=40)),
        ("/execute", job(max_tokens=40, logprobs=True)),
        ("/execute", job(max_tokens=40)),
        ("/execute", job(max_tokens=40, **HOT)),
        ("/execute", job(max_tokens=40, **HOT)),
        ("/execute", job(max_tokens=40, temperature=1.0, seed=8)),
        ("/execute", job(max_tokens=40, temperature=1.0, seed=2**53 + 1)),
        ("/execute", job(prompt=PROMPT, max_tokens=1)),
        *(("/execute", job(prompt=PROMPT, max_tokens=60, stop=[stop])) for stop in stops),
        ("/execute", job(prompt=PROMPT, max_tokens=60, stop=["zz", "e", "o"])),
        ("/execute", job(max_tokens=60, stop=["e", "m"])),
        ("/execute", job(max_tokens=300)),
        ("/execute", job(unknown=1)),
        ("/execute", job(stop=None)),
        ("/execute", job(min_p=0.9)),
        (SGLANG, {**sglang(), "x_unknown": 1}),
    ]
    held = [f"{one}\u0001" for one in "e st"]  # at some limit, the text ends as one of them begins
    found += [("/execute", job(prompt=PROMPT, max_tokens=limit, stop=held)) for limit in range(5, 25)]
    found += [(VLLM, {**vllm(**more), **how}) for how in ({}, STREAMED) for more in ({}, HOT, {"stop": ["e"]})]
    found += [(SGLANG, {**sglang(**more), **how}) for how in ({}, STREAMED) for more in ({}, SEEDED, {"stop": ["e"]})]
    found += [(SGLANG, {**sglang(), "sampling_params": {"temperature": 0}})]
    found += [(path, tgi(**more)) for path in (SGLANG, TGI) for more in ({}, HOT, {"stop": ["e"]})]
    found += [(SGLANG, {**tgi(), "parameters": {}})]
    found += [(LLAMA, {**llama(**more), **how}) for how in ({}, STREAMED) for more in ({}, HOT, {"stop": ["e"]})]
    narrow: list[dict[str, Any]] = [{"top_k": 1}, {"top_p": 0.01}, {"min_p": 1.0}, {"temperature": 0.01}]
    found += [(VLLM, vllm(**{**HOT, **one})) for one in narrow]
    found += [(VLLM, vllm(logprobs=3, prompt_logprobs=1, stop_token_ids=[*range(0, 1500, 7)], **HOT))]
    scored = {"top_logprobs_num": 3, "logprob_start_len": 0, "return_logprob": True}
    found += [(SGLANG, {**sglang(stop_token_ids=[*range(0, 1500, 7)], **SEEDED), **scored})]
    found += [(SGLANG, {**sglang(), **scored, "logprob_start_len": 2})]
    repeated = {**vllm(prompt_logprobs=0), "token_ids": [*IDS] * 20}
    found += [(VLLM, repeated)] * 2  # the second one finds its prompt in a cache
    found += [(SGLANG, tgi(top_n_tokens=3, **HOT)), (LLAMA, llama(n_probs=3, **HOT))]
    found += [(VLLM, {**vllm(), "token_ids": [*IDS, 5, 9]}), (VLLM, vllm(temperature=-1)), (TGI, tgi(temperature=0))]
    found += [(SGLANG, sglang(max_new_tokens=[])), (LLAMA, {**llama(), "prompt": {}}), (LLAMA, llama(top_k=30))]
    return [*found, *requested()]


def requested() -> list[tuple[str, Any]]:
    """What a job requests beside its prompt."""
    shortest: list[tuple[str, Any]] = [
        (VLLM, vllm(min_tokens=24, stop_token_ids=[*range(0, 1500, 7)])),
        (SGLANG, sglang(min_new_tokens=24, stop_token_ids=[*range(0, 1500, 7)])),
    ]
    biased: list[tuple[str, Any]] = [
        (VLLM, vllm(logit_bias={str(id): -100 for id in range(0, 1500, 3)})),
        (LLAMA, llama(logit_bias=[[id, False] for id in range(0, 1500, 3)])),
        (LLAMA, {"prompt": PROMPT, "n_predict": 24, "seed": 7}),
        (LLAMA, llama(n_predict=0)),
    ]
    permitted: list[tuple[str, Any]] = [
        (LLAMA, llama(grammar='root ::= "yes" | "no"')),
        (LLAMA, llama(json_schema={"enum": ["yes", "no"]})),
        (SGLANG, sglang(regex="(yes|no)")),
        (SGLANG, {**sglang(), "rid": None, "text": ["Hello", PROMPT]}),
        (TGI, tgi(grammar={"type": "regex", "value": "(yes|no)"})),
    ]
    beyond: list[tuple[str, Any]] = [(VLLM, vllm(top_p=1.5)), (TGI, tgi(top_p=1.5)), (SGLANG, sglang(n=2, **SEEDED))]
    beyond += [("/execute", job(max_tokens=40, repetition_penalty=2.0)), (VLLM, vllm(n=2, **HOT))]
    beyond += [
        (VLLM, vllm(**{**HOT, "max_tokens": 60, name: 2.0})) for name in ("frequency_penalty", "presence_penalty")
    ]
    beyond += [(VLLM, {**vllm(temperature=1.0, seed=1, max_tokens=4), "token_ids": ([*IDS] * 300)[:2100]})]
    beyond += [("/execute", job(prompt=PROMPT + "A long prompt. " * 200))]
    return [*shortest, *biased, *permitted, *beyond, (SGLANG, {**sglang(), "text": "Hello " * 100})]


MEMBERS: dict[str, list[Any]] = {
    "job_id": ["", None],
    "prompt": ["", "x" * 32_768, "x" * 32_769, "🎉" * 9000],
    "max_tokens": [0, 2048, 2049, None],
    "temperature": [-0.01, 2.0, 2.01],
    "top_p": [-0.01, 0, 1.01],
    "top_k": [1537],
    "repetition_penalty": [-0.01, 2.01],
    "min_p": [-0.01, 1.01],
    "stop": [["a"] * 5, [""], ["a" * 101]],
    "seed": [-1, 2**31, 2**64 - 1, 2**64],
}
BAD: list[tuple[str, Any]] = [
    ("/execute", job(**{"stop": ["e", "a"], name: value})) for name, values in MEMBERS.items() for value in values
] + [
    ("/execute", {"job_id": "", "prompt": "", "temperature": 9}),
    ("/cancel", {"job_id": ""}),
    ("/cancel", {}),
    ("/cancel", {"job_id": "never"}),
    ("/abort_requests", {"request_ids": ["never"]}),
    ("/abort_request", {"rid": "never"}),
    ("/nowhere", {}),
    ("/health", {}),
]


async def answers() -> AsyncGenerator[str, None]:
    """One after the other, so that a comparison can end at the first difference."""
    yield await closed()
    async with worker(context=2200) as client:
        for path, body in [*requests(), *BAD]:
            yield await asked(client, path, body)
        yield await asked(client, "/execute", job())  # of those above none may have kept its slot
        yield await seeds(client)
        yield await at_the_limit(client)
        yield await correlation(client)
        yield await asked(client, "/health", None, "GET")
        yield (await client.get("/metrics")).text.count("worker_").__gt__(5).__str__()
        yield await concurrent(client)
        for path, body in ((SGLANG, sglang(max_new_tokens=9999)), (TGI, tgi(max_new_tokens=9999))):
            yield await asked(client, path, body)
        yield await asked(client, LLAMA, llama(n_predict=9999))
        yield await asked(client, "/execute", job(prompt="a b c d " * 300, max_tokens=2048))
        yield await shut_down(client)
    async with worker(context=60) as client:
        for path, body in (
            ("/execute", {"job_id": "x", "prompt": "hi", "seed": 1}),
            (VLLM, vllm(max_tokens=None)),
            (VLLM, vllm(max_tokens=9999)),
            (LLAMA, llama(n_predict=None)),
            (LLAMA, llama()),
        ):
            yield await asked(client, path, body)
    async with worker(fail_after=3, slots=1) as client:
        for path, body in (
            ("/execute", job()),
            (VLLM, {**vllm(), **STREAMED}),
            (SGLANG, {**sglang(), **STREAMED}),
            (TGI, tgi()),
            (LLAMA, {**llama(), **STREAMED}),
        ):
            yield await asked(client, path, body)
    async with worker(cache_tokens=120) as client:
        yield await out_of_memory(client)
    async with worker(load_delay_s=60) as client:
        for path, body in (("/execute", job()), (VLLM, vllm())):
            yield await asked(client, path, body)
        yield await asked(client, "/health", None, "GET")
    async with contextlib.aclosing(
        with_jobs()
    ) as given:  # where a comparison ends at one of these, their worker ends too
        async for answer in given:
            yield answer


async def closed() -> str:
    """A worker without jobs ends at once."""
    try:
        async with asyncio.timeout(PATIENCE_S * 10), worker():
            pass
    except TimeoutError:
        return "runs on"
    return "ended"


async def seeds(client: httpx.AsyncClient) -> str:
    """A generated seed gives the same tokens again, and is another for every job."""
    body = {"job_id": "j", "prompt": "Hello", "max_tokens": 30}
    first = events(await client.post("/execute", json=body))
    seed = first[0].get("seed")
    again = events(await client.post("/execute", json={**body, "seed": seed}))
    return f"seed {[one.get('t') for one in first] == [one.get('t') for one in again]}"


def events(response: httpx.Response) -> list[Any]:
    return [json.loads(line[5:]) for line in response.text.split("\n") if line.startswith("data:")]


async def at_the_limit(client: httpx.AsyncClient) -> str:
    """Jobs whose last token completes a stop text."""
    count = events(await client.post("/execute", json=job(max_tokens=60, stop=["e"])))[-1]["tokens_out"]
    body = job(max_tokens=count, stop=["e"])
    return " ".join([events(await client.post("/execute", json=body))[-1]["stop_reason"] for _ in range(3)])


async def correlation(client: httpx.AsyncClient) -> str:
    shown = []
    for given in (UUID, "no-uuid"):
        response = await client.get("/health", headers={"X-Correlation-ID": given})
        shown.append(response.headers.get("X-Correlation-ID") == given)
    with_key = await client.get("/health", headers={"Authorization": "Bearer key-of-a-client"})
    shown.append("key-of-a-client" in str(with_key.headers))
    two = [(await client.get("/health")).headers.get("X-Correlation-ID") for _ in range(2)]
    return f"correlation {shown} {two[0] != two[1]}"


async def concurrent(client: httpx.AsyncClient) -> str:
    """Several jobs in slots at the same time."""
    jobs = [asked(client, "/execute", job(job_id=f"c{n}", prompt=f"Count {n}", max_tokens=30)) for n in range(4)]
    return "\n".join(await asyncio.gather(*jobs))


async def shut_down(client: httpx.AsyncClient) -> str:
    """Signals are recorded by the test."""
    return f"{await asked(client, '/shutdown', None)} {await asked(client, '/health', None, 'GET')}"


async def out_of_memory(client: httpx.AsyncClient) -> str:
    """How a small and a large job end that have too little memory together."""
    small = asked(client, "/execute", job(job_id="small", max_tokens=40))
    large = asked(client, "/execute", job(job_id="large", prompt="Hello " * 30, max_tokens=200))
    return " ".join(answer.rpartition("event: ")[2] for answer in await asyncio.gather(small, large))


@contextlib.asynccontextmanager
async def running(client: httpx.AsyncClient, path: str = "/execute", **body: Any) -> AsyncIterator[AsyncIterator[str]]:
    """A long job, of which the first events have been read."""
    async with client.stream("POST", path, json=body) as response:
        lines = response.aiter_lines()
        for _ in range(3):
            async with asyncio.timeout(PATIENCE_S * 10):
                await next_event(lines)
        yield lines


async def last_of(lines: AsyncIterator[str]) -> str:
    """How a stream ends: what its events are, and whether the last with a text or ids is empty; or that it does not end."""
    kinds: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S * 3):
            async for line in lines:
                if line.startswith("data: {"):
                    kinds.add(summary(json.loads(line[5:])))
            return f"closed {sorted(kinds - {''})}"
    return "open"


def summary(event: dict[str, Any]) -> str:
    """The reason of an event, and whether it has what was generated; how much that is depends on the time."""
    reasons = re.findall(r'"(?:type|finish_reason|stop_reason|code)": "(\w+)"', json.dumps(event))
    if event.get("t") == "#":
        return "a text that the stub never writes"
    if reasons in ([], ["token"]):
        return ""  # how many of these come after a cancellation depends on the time
    return f"{sorted(event)} {reasons} {event.get('text') == ''} {event.get('output_ids') == []}"


async def with_jobs() -> AsyncGenerator[str, None]:
    long = {"max_tokens": 2048, "temperature": 0, "prompt": "Hello", "seed": 1}
    async with worker(slots=2, queue=1, token_delay_s=0.001) as client:
        yield await guarded(cancelled(client, long))
        yield await asked(client, "/execute", job(job_id="after"))
        yield await guarded(
            aborted(client, VLLM, {**vllm(max_tokens=4000), **STREAMED}, "/abort_requests", {"request_ids": ["v"]})
        )
        yield await guarded(
            aborted(client, SGLANG, {**sglang(max_new_tokens=4000), **STREAMED}, "/abort_request", {"rid": "s"})
        )
        yield await guarded(full(client, long))
        yield await guarded(cancelled_while_waiting(client, long))
    async with worker(slots=2, queue=4, token_delay_s=0.01) as client:
        yield await guarded(left(client, long))


async def guarded(playing: Any) -> str:
    try:
        return str(await playing)
    except (TimeoutError, EOFError, httpx.HTTPError) as error:
        return type(error).__name__


async def cancelled(client: httpx.AsyncClient, long: dict[str, Any]) -> str:
    async with running(client, job_id="a", **long) as lines, running(client, job_id="b", **long) as others:
        health = await client.get("/health", timeout=PATIENCE_S)
        repeated = await asked(client, "/execute", {"job_id": "a", **long, "max_tokens": 3})
        replies = [(await client.post("/cancel", json={"job_id": "a"})).status_code for _ in range(2)]
        ended = await last_of(lines)
        other = (await client.get("/health", timeout=PATIENCE_S)).json()["running"]
        await client.post("/cancel", json={"job_id": "b"})
        return f"{health.status_code} {repeated} {replies} {ended} {other} {await last_of(others)}"


async def aborted(client: httpx.AsyncClient, path: str, body: Any, abort: str, ids: Any) -> str:
    async with running(client, path, **body) as lines:
        replies = [(await client.post(abort, json=ids)).status_code for _ in range(2)]
        return f"{replies} {await last_of(lines)}"


async def full(client: httpx.AsyncClient, long: dict[str, Any]) -> str:
    async with running(client, job_id="a", **long), running(client, job_id="b", **long):
        waiting = asyncio.create_task(asked(client, "/execute", {**long, "job_id": "c", "max_tokens": 2}))
        while not (await client.get("/health")).json()["waiting"]:
            await asyncio.sleep(0)
        refused = await asked(client, "/execute", {**long, "job_id": "d", "max_tokens": 2})
    return f"{refused} {await waiting}"


async def cancelled_while_waiting(client: httpx.AsyncClient, long: dict[str, Any]) -> str:
    async with running(client, job_id="a", **long), running(client, job_id="b", **long):
        waiting = asyncio.create_task(asked(client, "/execute", {**long, "job_id": "c", "max_tokens": 2}))
        while not (await client.get("/health")).json()["waiting"]:
            await asyncio.sleep(0)
        await client.post("/cancel", json={"job_id": "c"})
        return await waiting


async def left(client: httpx.AsyncClient, long: dict[str, Any]) -> str:
    """Clients that disconnect free their slots, and the ids of their jobs."""
    for number in range(3):
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with running(client, job_id=f"l{number}", **long):
                pass
    following = await asked(client, "/execute", {**long, "job_id": "next", "max_tokens": 2})
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        await client.post(LLAMA, json=llama(n_predict=2000), timeout=PATIENCE_S)
    for path, body, stop, ids in (
        (VLLM, vllm(max_tokens=2000), "/abort_requests", {"request_ids": ["v"]}),
        (SGLANG, sglang(max_new_tokens=2000), "/abort_request", {"rid": "s"}),
    ):
        whole = asyncio.create_task(client.post(path, json=body))
        await asyncio.sleep(PATIENCE_S / 2)
        await client.post(stop, json=ids)
        following += str(str(ids) + str(len((await whole).text) > SHORT))
    await asyncio.sleep(PATIENCE_S)
    following += str((await client.get("/health")).json()["running"])
    return following + await asked(client, "/execute", {**long, "job_id": "l0", "max_tokens": 2})
