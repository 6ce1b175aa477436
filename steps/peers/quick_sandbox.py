"""Jinja's sandbox as `transformers` uses it for chat templates, without its work where that always ends alike.

A template asks for thousands of members of messages in a run, most of which the messages lack. For each, the sandbox raises and catches
an exception and looks through lists of types. The values of JSON need none of that: what they have is known before.
"""

from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

OF_DICTS = frozenset(dir(dict))  # methods: for the sandbox to decide
HARMLESS = frozenset(name for name in dir(str) if not name.startswith("_")) - {"format", "format_map"}
MISSING = object()


class QuickSandbox(ImmutableSandboxedEnvironment):
    """Gives the same as the sandbox for every object and name (a test compares them)."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if kind is dict and attribute not in OF_DICTS:
            value = obj.get(attribute, MISSING)
            return self.undefined(obj=obj, name=attribute) if value is MISSING else value
        if kind is str and attribute in HARMLESS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)
