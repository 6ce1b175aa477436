"""API documentation (placeholder)."""

from typing import Any


def page() -> str:
    return "<!doctype html><title>docs</title>"


def document() -> dict[str, Any]:
    return {}
