"""Amazon's responses are read in one place: modules that receive its bytes call no other JSON parser."""

import ast
from pathlib import Path

from tests.paths import ROOT

# Each parses Sellergate's own data (database, Redis, page tokens, the local run), a caller's input, or an operator's
# file.
OWN = {
    "services/account/sellergate_account/rpc/page_tokens.py",
    "services/account/sellergate_account/storage/database.py",
    "services/edge/sellergate_edge/sign_in/sign_in.py",
    "services/gateway/sellergate_gateway/calls/pagination.py",
    "services/gateway/sellergate_gateway/captures/redis.py",
    "services/gateway/sellergate_gateway/quota/waiters.py",
    "services/token/sellergate_token/authorizations/redis.py",
}


def parses_json(file: Path) -> bool:
    """Return whether a module calls json.loads, json.load, or a response's json()."""
    calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return any(
        isinstance(call, ast.Attribute)
        and call.attr in ("loads", "load")
        and isinstance(call.value, ast.Name)
        and call.value.id == "json"
        for call in calls
    )


def test_only_the_reader_and_readers_of_sellergates_own_json_parse_json() -> None:
    files = [
        file
        for folder in ("services", "libs/client")
        for file in (ROOT / folder).rglob("*.py")
        if "json" in file.read_text()
    ]
    assert {str(file.relative_to(ROOT)) for file in files if parses_json(file)} == OWN
