"""The reference of the REST API, from the edge's own OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.site.openapi import document

HEAD = """# REST

The routes of the edge, generated from its OpenAPI document, which every edge serves at `/openapi.json`, with a page to try it at
`/docs`. Every request carries the user's JWT: `Authorization: Bearer …`. Errors are problem documents with a `reason`
([errors.md](../errors.md)).
"""


def page(_: Path) -> str:
    """Return the page."""
    paths = document()["paths"].items()
    return HEAD + "".join(
        text for path, methods in paths for name, route in methods.items() for text in _route(path, name, route)
    )


def _route(path: str, method: str, route: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {method.upper()} {path}\n\n{_cell(route.get('description') or route.get('summary', ''))}\n"
    parameters = route.get("parameters", ())
    if parameters:
        yield "\n| parameter | in | type | |\n|---|---|---|---|\n"
    for one in parameters:
        words = _cell(one.get("description", ""))
        yield f"| `{one['name']}` | {one['in']} | {_type(one.get('schema', {}))} | {words} |\n"
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        yield f"\nBody: `{kind}`, {_type(content.get('schema', {}))}.\n"
    yield "\n| status | |\n|---|---|\n"
    for status, response in route.get("responses", {}).items():
        yield f"| {status} | {_cell(response.get('description', ''))} |\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    return str(schema.get("type", "any"))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[").split())
