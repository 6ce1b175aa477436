"""The page at /docs: every operation with its example, a form to try it and the same as a `curl` line.

One file without external resources, because training clusters often have no internet access.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    description: str
    example: str
    statuses: dict[str, str]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method in ("get", "post"):
            if method in item:
                yield _operation(method, path, item[method])


def callbacks(document: dict[str, Any]) -> Iterator[Operation]:
    for item in document["paths"].values():
        for callback in item.get("post", {}).get("callbacks", {}).values():
            yield from operations({"paths": callback})


def _operation(method: str, path: str, described: dict[str, Any]) -> Operation:
    statuses = {status: answer.get("description", "") for status, answer in described.get("responses", {}).items()}
    summary, description = described.get("summary", ""), described.get("description", "")
    return Operation(method.upper(), path, summary, description, _example(described), statuses)


def _example(described: dict[str, Any]) -> str:
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    values = [example["value"] for example in body.get("examples", {}).values() if "value" in example]
    return json.dumps(body.get("example", values[0] if values else None), indent=2) if body else ""


def render(parts: Sequence[tuple[str, dict[str, Any]]]) -> str:
    sections = [
        (dialect, part["info"].get("description", ""), list(operations(part)), list(callbacks(part)))
        for dialect, part in parts
    ]
    return jinja2.Environment(autoescape=True).from_string(PAGE).render(sections=sections)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Rollout server</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
pre, textarea, code, input { font: 13px/1.4 ui-monospace, monospace }
pre { background: #f4f4f4; padding: .7rem; overflow: auto; white-space: pre-wrap }
textarea { width: 100%; height: 18rem } input { width: 24rem }
details { border: 1px solid #ccc; border-radius: 4px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } summary b { display: inline-block; width: 3.5rem }
</style></head><body>
<h1>Rollout server</h1>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>. Metrics: <a href="/metrics">/metrics</a>.</p>
<p><label>Server key, if there is one: <input id="key" type="password" autocomplete="off"></label></p>
{% if not sections %}<p>This server was installed without its contracts, so there is nothing to show here.</p>{% endif %}
{% for dialect, about, operations, callbacks in sections %}
<h2>Dialect: {{ dialect }}</h2>
<details><summary>What it is</summary><pre>{{ about }}</pre></details>
<h3>Served here</h3>
{% for o in operations %}
<details><summary><b>{{ o.method }}</b> <code>{{ o.path }}</code> &ndash; {{ o.summary }}</summary>
<p>{{ o.description }}</p>
<ul>{% for status, says in o.statuses.items() %}<li><b>{{ status }}</b> {{ says }}</li>{% endfor %}</ul>
<h4>Try it out</h4>
<form data-method="{{ o.method }}" data-path="{{ o.path }}">
{% if o.example %}<textarea name="body" aria-label="Request body" spellcheck="false">{{ o.example }}</textarea>{% endif %}
<p><button>Send</button></p><pre class="answer" hidden></pre></form>
<pre>curl {% if o.example -%}
-X POST <span class="origin">http://localhost:9000</span>{{ o.path }} -H 'Content-Type: application/json' -d '
{{ o.example | replace("'", "'\\\\''") }}'{% else -%}
<span class="origin">http://localhost:9000</span>{{ o.path }}{% endif %}</pre>
</details>
{% endfor %}
<h3>Called by this server, served by the trainer</h3>
{% for o in callbacks %}
<details><summary><b>{{ o.method }}</b> <code>{{ o.path }}</code> &ndash; {{ o.summary }}</summary>
<p>{{ o.description }}</p>{% if o.example %}<pre>{{ o.example }}</pre>{% endif %}</details>
{% endfor %}
{% endfor %}
<script>
for (const place of document.querySelectorAll(".origin")) place.textContent = location.origin;
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", async event => {
  event.preventDefault();
  const out = form.querySelector(".answer"), key = document.getElementById("key").value;
  const headers = key ? {"Authorization": "Bearer " + key} : {};
  const body = form.elements.body ? form.elements.body.value : undefined;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  out.hidden = false; out.textContent = "...";
  try {
    const answer = await fetch(form.dataset.path, {method: form.dataset.method, headers, body});
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch (error) {}
    out.textContent = answer.status + "\\n" + shown;
  } catch (error) { out.textContent = String(error); }
});
</script></body></html>
"""
