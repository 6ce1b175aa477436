"""Opens sessions, starts rollouts, answers generation requests and accepts results."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.trainer import (
    chat_completion,
    errors,
    naming,
    prompt,
    response_mask,
    rollout_starter,
)
from rollout_conformance.rollout_server.trainer.app_state import AppState
from rollout_conformance.rollout_server.trainer.backend import GenerationTask
from rollout_conformance.rollout_server.trainer.prompt import Prompt
from rollout_conformance.rollout_server.trainer.session import Branch, OpenGeneration, Session, digest
from rollout_conformance.rollout_server.trainer.session_store import SessionStore
from rollout_conformance.rollout_server.trainer.start_request import StartPlan

LONG_TEXT = 50_000  # characters; from here on encoding takes longer than a switch to a thread


class Service:
    def __init__(self, app_state: AppState) -> None:
        self.app_state = app_state
        self.sessions = SessionStore(app_state.settings.max_active, app_state.settings.max_records)
        self.address: asyncio.Future[str] | None = None  # of this trainer, for the rollouts that it starts by itself
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, start: StartPlan) -> Session:
        """Open the session first: the first generation request may arrive before the response to the start request."""
        session = Session(start.rollout_id, start.dialect, start.key, start.messages, branches=self._branches())
        self.sessions.open(session)
        self._launch(self._run(session, start))
        return session

    async def _run(self, session: Session, start: StartPlan) -> None:
        timeout_s = start.timeout_s or self.app_state.settings.rollout_timeout_s
        try:
            await self.app_state.starter.run(session, start, timeout_s)
        except Exception as error:
            self.app_state.log.error("unexpected", rollout_id=session.rollout_id, error=logs.location(error))
        finally:
            session.end("ERROR", error_message="The trainer failed")
            self.sessions.close(session)
            self.app_state.log.info("ended", rollout_id=session.rollout_id, status=session.status, turns=session.turns)

    def open(self, rollout_id: str, messages: Sequence[Any], tools: Sequence[Any] = ()) -> Session:
        """A rollout that nobody started: its first generation request begins it, and has its tools."""
        dialect, key = self.app_state.settings.dialects[0], self.key_of_open(rollout_id)
        session = Session(rollout_id, dialect, key, messages, branches=self._branches())
        session.set_tools(tools)
        self.sessions.open(session)
        self._launch(self._until_ended(session))
        return session

    def _branches(self) -> list[Branch] | None:
        return [] if self.app_state.settings.branches else None

    def key_of_open(self, rollout_id: str) -> str | None:
        """The key of a rollout that nobody started."""
        settings = self.app_state.settings
        if settings.rollout_id_in == naming.KEY:
            return rollout_id
        return settings.open_key.get_secret_value() if settings.open_key else None

    async def _until_ended(self, session: Session) -> None:
        timeout_s = self.app_state.settings.rollout_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await session.ended.wait()
        except TimeoutError:
            session.end("TIMEOUT", error_message=f"No result within {timeout_s:g} s")
        finally:
            self.sessions.close(session)

    async def answer(self, session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a generation request. Raises `ApiError`; the session is then unchanged."""
        session.check_running()
        body_digest = digest(body)
        stored = session.stored_reply(body_digest)
        if stored is not None:
            return stored
        task = session.open_reply(body_digest)
        if task is None:
            session.check_history(body["messages"])
            task = self._launch(self._generate(session, body, body_digest))
            session.open = OpenGeneration(body_digest, task)
        return await asyncio.shield(task)  # a client that disconnects may retry and gets this reply

    async def _generate(self, session: Session, body: Mapping[str, Any], body_digest: bytes) -> dict[str, Any]:
        try:
            await self._tools_known(session)
            session.check_running()
            return await self._sample(session, body, body_digest)
        finally:
            session.open = None

    async def _tools_known(self, session: Session) -> None:
        """A request that arrives before the response to the start request waits for it: the tools are part of the prompt."""
        try:
            async with asyncio.timeout(self.app_state.settings.ready_timeout_s):
                await session.ready.wait()
        except TimeoutError as error:
            raise errors.not_ready() from error

    async def _sample(self, session: Session, body: Mapping[str, Any], body_digest: bytes) -> dict[str, Any]:
        messages = body["messages"]
        task = await in_thread_if_long(messages, lambda: self._task(session, body))
        made = await self.app_state.backend.generate(task)
        answer = chat_completion.body(session, made, self.app_state.settings.model)
        session.commit(body_digest, messages, made, task.prompt, answer)
        return answer

    def _task(self, session: Session, body: Mapping[str, Any]) -> GenerationTask:
        """What is to be generated, after a check of the mask. Raises `ApiError` 422."""
        tokens, past, known, tools = self.app_state.tokenizer, session.trajectory, session.messages, session.tools
        next_prompt = prompt.build(tokens, past, known, body["messages"], tools)
        if session.dialect == "sync":
            lengths = self._lengths(session, next_prompt)
            response_mask.check(body.get("response_mask"), lengths, turns=session.turns)
        return GenerationTask(session.rollout_id, session.turns, body["messages"], tools, next_prompt, body)

    def _lengths(self, session: Session, next_prompt: Prompt) -> Iterator[int]:
        return prompt.insertions(
            self.app_state.tokenizer, session.trajectory, next_prompt, session.messages, session.tools
        )

    def complete(self, session: Session, result: Mapping[str, Any]) -> dict[str, Any]:
        """The acknowledgement of a terminal result, the same for all results of a rollout: the first one is kept."""
        if session.dialect == "sync":
            raise errors.no_report()
        if not rollout_starter.finish(session, result) and session.result != result:
            self.app_state.log.warning("another result", rollout_id=session.rollout_id, kept=session.status)
        return {"status": "ok", "rollout_id": session.rollout_id}

    def _launch(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved here because the client may have disconnected

    async def stop(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_thread_if_long(messages: Sequence[Any], work: Callable[[], GenerationTask]) -> GenerationTask:
    """Long conversations are rendered and encoded in a thread; the event loop has other rollouts to answer."""
    return await asyncio.to_thread(work) if size(messages) > LONG_TEXT else work()


def size(messages: Sequence[Any]) -> int:
    return sum(len(content) for m in messages if isinstance(content := m.get("content"), str))
