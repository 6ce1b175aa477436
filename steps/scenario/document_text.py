"""A scenario as the text of a YAML file, as people write one: the case in block style, its entries in flow style."""

from collections.abc import Mapping

import yaml

from rollout_conformance.steps.profiles.parts import Document

LONG = 120  # characters; a longer list or mapping has a line for each of its entries


class _Flow(yaml.SafeDumper):
    """Without anchors: a value that occurs twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def text_of(document: Document) -> str:
    """A scenario file of one case."""
    (case,) = document["cases"]
    lines = ["cases:"]
    for n, (key, value) in enumerate(case.items()):
        lines += _entry("- " if n == 0 else "  ", key, value)
    return "\n".join(lines) + "\n"


def _entry(lead: str, key: str, value: object) -> list[str]:
    inline = f"{lead}{key}: {_inline(value)}"
    indent = " " * len(lead)
    labelled = isinstance(value, Mapping) and value and all(isinstance(part, Mapping) for part in value.values())
    if isinstance(value, Mapping) and (labelled or len(inline) > LONG):
        return [f"{lead}{key}:", *(f"{indent}  {_inline(name)}: {_inline(part)}" for name, part in value.items())]
    if isinstance(value, list) and len(inline) > LONG:
        return [f"{lead}{key}:", *(f"{indent}- {_inline(part)}" for part in value)]
    return [inline]


def _inline(value: object) -> str:
    text = yaml.dump(value, Dumper=_Flow, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.strip().removesuffix("\n...").strip()
