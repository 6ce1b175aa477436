"""The trainer at work: opens sessions, has rollouts started, answers generation calls, takes results."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens
from rollout_conformance.rollout_server.trainer import chat_completion, errors, prompt, response_mask, rollout_starter
from rollout_conformance.rollout_server.trainer.backend import Backend, Task
from rollout_conformance.rollout_server.trainer.prompt import Prompt
from rollout_conformance.rollout_server.trainer.rollout_starter import Initiator
from rollout_conformance.rollout_server.trainer.session import Open, Session, digest
from rollout_conformance.rollout_server.trainer.session_store import Book
from rollout_conformance.rollout_server.trainer.settings import Settings
from rollout_conformance.rollout_server.trainer.start_request import Start

LONG_TEXT = 50_000  # characters; from here on encoding takes longer than a detour through a thread


@dataclass(frozen=True, slots=True)
class Kit:
    """What all rollouts share."""

    settings: Settings
    tokens: ChatTokens
    backend: Backend
    initiator: Initiator
    log: Any


class Service:
    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.book = Book(kit.settings.max_active, kit.settings.max_records)
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, start: Start) -> Session:
        """Open the session first: the first generation call may arrive before the start request is answered."""
        session = Session(start.rollout_id, start.dialect, start.key, start.messages)
        self.book.open(session)
        self._launch(self._run(session, start))
        return session

    async def _run(self, session: Session, start: Start) -> None:
        timeout_s = start.timeout_s or self.kit.settings.rollout_timeout_s
        try:
            await self.kit.initiator.run(session, start, timeout_s)
        except Exception as error:
            self.kit.log.error("unexpected", rollout_id=session.rollout_id, error=logs.place(error))
        finally:
            session.end("ERROR", error_message="The trainer failed")
            self.book.close(session)
            self.kit.log.info("ended", rollout_id=session.rollout_id, status=session.status, turns=session.turns)

    async def answer(self, session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a generation call. Raises `RefusedError`; the session is then as it was."""
        session.check_running()
        asked = digest(body)
        stored = session.repeated(asked)
        if stored is not None:
            return stored
        task = session.joined(asked)
        if task is None:
            session.check_history(body["messages"])
            task = self._launch(self._generate(session, body, asked))
            session.open = Open(asked, task)
        return await asyncio.shield(task)  # who hangs up may ask again and gets this very reply

    async def _generate(self, session: Session, body: Mapping[str, Any], asked: bytes) -> dict[str, Any]:
        try:
            await self._tools_known(session)
            session.check_running()
            return await self._sample(session, body, asked)
        finally:
            session.open = None

    async def _tools_known(self, session: Session) -> None:
        """A call that overtakes the answer to the start request waits for it: the tools are part of the prompt."""
        try:
            async with asyncio.timeout(self.kit.settings.ready_timeout_s):
                await session.ready.wait()
        except TimeoutError as error:
            raise errors.not_ready() from error

    async def _sample(self, session: Session, body: Mapping[str, Any], asked: bytes) -> dict[str, Any]:
        messages = body["messages"]
        task = await off_loop(messages, lambda: self._task(session, body))
        made = await self.kit.backend.generate(task)
        answer = chat_completion.body(session, made, self.kit.settings.model)
        session.commit(asked, messages, made, task.prompt, answer)
        return answer

    def _task(self, session: Session, body: Mapping[str, Any]) -> Task:
        """What is to be generated, the mask checked. Raises `RefusedError` 422."""
        tokens, past, known, tools = self.kit.tokens, session.trajectory, session.messages, session.tools
        next_prompt = prompt.build(tokens, past, known, body["messages"], tools)
        if session.dialect == "sync":
            lengths = self._lengths(session, next_prompt)
            response_mask.check(body.get("response_mask"), lengths, turns=session.turns)
        return Task(session.rollout_id, session.turns, body["messages"], tools, next_prompt, body)

    def _lengths(self, session: Session, next_prompt: Prompt) -> Iterator[int]:
        return prompt.insertions(self.kit.tokens, session.trajectory, next_prompt, session.messages, session.tools)

    def complete(self, session: Session, result: Mapping[str, Any]) -> dict[str, Any]:
        """The acknowledgement of a terminal result, the same one for every result of a rollout: the first one stays."""
        if session.dialect == "sync":
            raise errors.no_report()
        if not rollout_starter.finish(session, result) and session.result != result:
            self.kit.log.warning("another result", rollout_id=session.rollout_id, kept=session.status)
        return {"status": "ok", "rollout_id": session.rollout_id}

    def _launch(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return task

    def _landed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone; then nobody else looks

    async def stop(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def off_loop(messages: Sequence[Any], work: Callable[[], Task]) -> Task:
    """Long conversations are rendered and encoded in a thread; the event loop has other rollouts to answer."""
    return await asyncio.to_thread(work) if size(messages) > LONG_TEXT else work()


def size(messages: Sequence[Any]) -> int:
    return sum(len(content) for m in messages if isinstance(content := m.get("content"), str))
