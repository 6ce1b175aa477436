"""The quick sandbox gives what jinja's own gives."""

import jinja2
import pytest
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rollout_conformance.steps.peers.quick_sandbox import QuickSandbox

OBJECTS = [
    {"content": "x", "none": None, "items": "a member named like a method", "__class__": "a member"},
    "text",
    [1, 2],
    7,
    None,
    {1, 2},
    lambda: None,
]
NAMES = [
    "content",
    "none",
    "missing",
    "items",
    "pop",
    "keys",
    "startswith",
    "format",
    "strip",
    "append",
    "__class__",
    "mro",
]
TEMPLATES = [
    "{{ x.items() | list }}",
    "{{ x.get('content') }}",
    "{{ x.missing.deeper }}",
    "{{ x.missing is defined }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ x.__class__ }}",
    "{{ x.__class__.__mro__ }}",
    "{{ x.pop('content') }}",
    "{{ x.content.upper().startswith('X') }}",
    "{{ ''.__class__ }}",
    "{% set ns = namespace(n=1) %}{% set ns.n = 2 %}{{ ns.n }}{% for y in [1, 2] %}{{ loop.last }}{% endfor %}",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_attributes_are_those_of_the_sandbox(value: object, name: str) -> None:
    own, quick = ImmutableSandboxedEnvironment(), QuickSandbox()
    assert told(quick.getattr(value, name)) == told(own.getattr(value, name))


def told(value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        return f"{type(value).__name__} {value._undefined_name} {value._undefined_exception.__name__}"
    return f"{type(value).__name__} {getattr(value, '__name__', value)}"


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_rendered_as_in_the_sandbox(template: str) -> None:
    own, quick = (rendered(kind(), template) for kind in (ImmutableSandboxedEnvironment, QuickSandbox))
    assert quick == own


def rendered(environment: jinja2.Environment, template: str) -> str:
    try:
        return environment.from_string(template).render(x=dict(OBJECTS[0]))  # type: ignore[call-overload]
    except (jinja2.UndefinedError, SecurityError) as error:
        return f"{type(error).__name__}: {error}"
