"""The chat template of the project's own tokenizer, in two variants, and how jinja2 renders it.

The default variant preserves prefixes: what a model was shown and what it answered stay, letter for letter, at the
start of every later rendering. The stripping variant forgets the reasoning of earlier turns, as some published
templates do, so the same promise does not hold for it. Nothing here tokenizes or knows where the files are.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Newlines around reasoning, and before a first tool call, are *completed*, not added: parsers differ in whether they
# hand back the newline beside a tag, and either answer has to render to the text the model wrote.
# `for part in message.content` is spelled out, under that name, because servers look for it to learn that the template
# takes content as a list of parts.
_TEMPLATE = r"""{%- set system_roles = ['system', 'developer'] %}
{%- set tool_roles = ['tool', 'function'] %}
{%- set text_types = ['text', 'input_text', 'output_text'] %}
{%- macro part_text(part) %}
    {%- if part is string %}
        {{- part }}
    {%- elif part is mapping and part.text is string and part.type | default('text', true) in text_types %}
        {{- part.text }}
    {%- elif part is mapping and part.type is string %}
        {{- '[' ~ part.type ~ ']' }}
    {%- else %}
        {{- '[part]' }}
    {%- endif %}
{%- endmacro %}
{%- macro content_text(message) %}
    {%- if message.content is string %}
        {{- message.content }}
    {%- elif message.content is mapping %}
        {{- part_text(message.content) }}
    {%- elif message.content is iterable %}
        {%- for part in message.content %}
            {{- part_text(part) }}
        {%- endfor %}
    {%- elif message.content is defined and message.content is not none %}
        {{- message.content | tojson }}
    {%- endif %}
{%- endmacro %}
{%- macro tool_signature(tool) %}
    {%- set function = tool.function if tool.function is mapping else tool %}
    {%- set properties = function.parameters.properties if function.parameters is mapping else none %}
    {{- function.name | default('', true) ~ '(' }}
    {%- if properties is mapping %}
        {{- properties | list | join(', ') }}
    {%- endif %}
    {{- ')\n' }}
{%- endmacro %}
{%- macro tool_call_text(call) %}
    {%- set function = call.function if call.function is mapping else call %}
    {{- '<tool_call>\n{"name": "' ~ function.name | default('', true) ~ '", "arguments": ' }}
    {%- if function.arguments is string %}
        {{- function.arguments }}
    {%- elif function.arguments is defined and function.arguments is not none %}
        {{- function.arguments | tojson }}
    {%- else %}
        {{- '{}' }}
    {%- endif %}
    {{- '}\n</tool_call>' }}
{%- endmacro %}
{%- macro assistant_text(message, show_reasoning) %}
    {%- set content = content_text(message) %}
    {%- set told = [message.reasoning_content, message.thinking, message.reasoning] | select('string') | list %}
    {%- if show_reasoning and told and told[0] %}
        {{- '<think>' ~ ('' if told[0].startswith('\n') else '\n') }}
        {{- told[0] }}
        {{- ('' if told[0].endswith('\n') else '\n') ~ '</think>' }}
        {{- '' if content.startswith('\n\n') else '\n\n' }}
    {%- endif %}
    {{- content }}
    {%- if message.tool_calls is iterable %}
        {%- for call in message.tool_calls if call is mapping %}
            {{- '\n' if not loop.first or (content and not content.endswith('\n')) }}
            {{- tool_call_text(call) }}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}
{%- set first_is_system = messages and messages[0].role in system_roles %}
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if first_is_system %}
        {{- content_text(messages[0]) ~ '\n' }}
    {%- endif %}
    {{- '<tools>\n' }}
    {%- for tool in tools if tool is mapping %}
        {{- tool_signature(tool) }}
    {%- endfor %}
    {{- '</tools><|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if loop.first and first_is_system and tools %}
        {#- Already said, above the tools. #}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {{- assistant_text(message, SHOW_REASONING) }}
        {{- '<|im_end|>\n' }}
    {%- elif message.role in tool_roles %}
        {{- '<|im_start|>user' if loop.first or loop.previtem.role not in tool_roles }}
        {{- '\n<tool_response>\n' ~ content_text(message) ~ '\n</tool_response>' }}
        {{- '<|im_end|>\n' if loop.last or loop.nextitem.role not in tool_roles }}
    {%- else %}
        {%- set role = message.role if message.role is string else 'user' %}
        {{- '<|im_start|>' ~ ('system' if role in system_roles else role) ~ '\n' }}
        {{- content_text(message) }}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""

PREFIX_PRESERVING = _TEMPLATE.replace("SHOW_REASONING", "true")
STRIPPING = _TEMPLATE.replace("SHOW_REASONING", "loop.last")


def _tojson(value: object, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


@cache
def _compiled(template: str) -> Template:
    """In the environment of `transformers`: jinja2's own `tojson` would sort keys and escape HTML characters."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = _tojson
    return environment.from_string(template)


def render(
    template: str,
    messages: Sequence[Mapping[str, object]],
    tools: Sequence[Mapping[str, object]] | None = None,
    *,
    add_generation_prompt: bool = False,
) -> str:
    """The conversation as the text a model reads."""
    return _compiled(template).render(messages=messages, tools=tools, add_generation_prompt=add_generation_prompt)
