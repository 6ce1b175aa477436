"""A real browser for tests: Chromium of the system, driven by Playwright's client, without a network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
)  # fmt: skip


def executable() -> str | None:
    """The browser of the system, or the one that ROLLOUT_BROWSER names."""
    return os.environ.get("ROLLOUT_BROWSER") or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def running() -> Iterator["Browser"]:
    """A browser; the test is skipped where there is none."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright's client is not installed (pip install playwright)"
    )
    path = executable()
    if path is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)} is in PATH (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass(slots=True)
class Opened:
    """An open page. `said` is what it wrote to the console, `requested` what it fetched beside itself."""

    page: "Page"
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def at(self, anchor: str) -> "Page":
        """The page at an anchor."""
        self.page.evaluate("anchor => { location.hash = anchor }", anchor)
        return self.page


@contextmanager
def opened(browser: "Browser", file: Path, width: int = 1280, height: int = 900, **context: Any) -> Iterator[Opened]:
    """A file in a window of this size; nothing may be said or fetched by it."""
    window = browser.new_context(viewport={"width": width, "height": height}, **context)
    window.set_default_timeout(60_000)
    found = Opened(window.new_page())
    found.page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    found.page.on("dialog", lambda dialog: found.said.append(f"dialog: {dialog.message}"))
    found.page.on("request", lambda request: found.requested.append(request.url))
    found.page.goto(file.as_uri())
    try:
        yield found
        assert found.said == []
        assert found.requested == [file.as_uri()]
    finally:
        window.close()
