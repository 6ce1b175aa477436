"""Tokenizers are read from this machine; nothing is downloaded."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.rollout_server.rollout import tokenizer_cache
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.tests.rollout.support import TOKENIZER, USER, Trainer, serve, tokenizer


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the shipped tokenizer, to be damaged."""
    return Path(shutil.copytree(TOKENIZER, tmp_path / "tokenizer"))


def test_the_prompt_ends_with_the_opening_of_an_assistant_turn() -> None:
    assert tokenizer().render([USER]).endswith("<|im_start|>assistant\n")
    assert "Please calculate 5 plus 3." in tokenizer().render([USER])


def test_a_template_may_stand_in_the_configuration(directory: Path) -> None:
    (directory / "chat_template.jinja").unlink()
    assert tokenizer_cache.load(str(directory)).render([USER]) == tokenizer().render([USER])


def damage(directory: Path, what: str) -> str:
    if what == "no template":
        (directory / "chat_template.jinja").unlink()
        (directory / "tokenizer_config.json").write_text("{}")
    elif what == "broken template":
        (directory / "chat_template.jinja").write_text("{% if %}")
    elif what == "broken tokenizer":
        (directory / "tokenizer.json").write_text("{}")
    else:
        (directory / "tokenizer.json").unlink()
    return str(directory)


@pytest.mark.parametrize("what", ["no template", "broken template", "broken tokenizer", "no tokenizer"])
def test_unusable_files_are_the_documented_error(directory: Path, what: str) -> None:
    name = damage(directory, what)
    trainer = Trainer()
    result = asyncio.run(serve(trainer).sync(tokenizer_name=name))
    assert result["error_message"] == f"Failed to load tokenizer: {name}"
    assert result["extra_fields"] == {"error_category": "tokenizer_error"}
    assert trainer.requests == []


@pytest.mark.parametrize("name", ["", "nobody/nothing", "a\x00b", "x" * 5000, "../..", "not a repository name!"])
def test_unknown_names_are_the_documented_error(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(RolloutError) as caught:
        asyncio.run(tokenizer_cache.TokenizerCache().get(name, "main"))
    assert caught.value.message == f"Failed to load tokenizer: {name}"


def test_the_cache_of_the_machine_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def cached(repo: str, file: str, revision: str | None) -> Any:
        assert (repo, revision) == ("some/model", "v1")
        return str(Path(TOKENIZER) / file)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    assert tokenizer_cache.load("some/model", "v1").render([USER]) == tokenizer().render([USER])


def test_a_tokenizer_is_loaded_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str, revision: str | None) -> tokenizer_cache.PromptCounter:
        loaded.append(name)
        return tokenizer()

    async def scenario() -> None:
        cache = tokenizer_cache.TokenizerCache()
        await asyncio.gather(*(cache.get("a", None) for _ in range(10)))
        for name in "bcdef":
            await cache.get(name, None)
        await cache.get("a", None)

    monkeypatch.setattr(tokenizer_cache, "load", load)
    asyncio.run(scenario())
    assert loaded == list("abcdefa")


def test_a_conversation_that_the_template_refuses() -> None:
    class Refusing:
        def render(self, **_: Any) -> str:
            raise TypeError("secret")

    chat: Any = tokenizer_cache.PromptCounter(Any, Refusing(), {})  # type: ignore[arg-type]
    with pytest.raises(RolloutError, match="cannot render") as caught:
        asyncio.run(chat.prompt_length([USER]))
    assert caught.value.category == "conversation_state"


def test_demo_mode_reports_its_substitute() -> None:
    result = asyncio.run(serve(Trainer(), demo=True).sync(tokenizer_name="Qwen/Qwen3-8B"))
    assert result["status"] == "COMPLETED"
    assert result["extra_fields"]["tokenizer_substituted"] == {"asked": "Qwen/Qwen3-8B", "used": "tokenizer"}


def test_a_long_text_is_counted_like_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_cache, "LONG_TEXT", 1)
    assert asyncio.run(tokenizer().prompt_length([USER])) == tokenizer().count(tokenizer().render([USER]))
