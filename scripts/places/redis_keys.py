"""The places of a Redis key: the list of prefixes, the users of deploy/redis, and the test of these users."""

import ast
import re
from collections.abc import Iterator

from scripts.places.tree import Tree, sentence

HEADING = "Add a Redis key"
KEYSPACE = "libs/common/sellergate_common/cache/keyspace.py"
USERS = ("deploy/redis/users-7.acl", "deploy/redis/users.acl")
TEST = "tests/integration/test_redis_acl.py"


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks a prefix or a channel."""
    text = tree.text(KEYSPACE)
    writers = dict(re.findall(r"^\| (\w+:) \| (\w+) \| .+ \|$", text, re.MULTILINE))
    used = tree.words("libs/**/*.py", "services/**/*.py", but=(KEYSPACE,))
    used |= frozenset(re.findall(r"\w+", "".join(text.partition("\ndef ")[1:])))
    names = dict(_constants(text))
    for name, value in names.items():
        prefix, _, channel = value.partition(":")
        prefix += ":"
        if name not in used:
            yield sentence("services/", f"does not use {name}", HEADING)
        if prefix not in writers:
            yield sentence(KEYSPACE, f"has no row for the prefix {prefix} in the table of its docstring", HEADING)
            continue
        wanted = f"&{prefix}*" if channel else f"~{prefix}*"
        for path in USERS:
            if not re.search(rf"^user {writers[prefix]} .*{re.escape(wanted)}(?: |$)", tree.text(path), re.MULTILINE):
                yield sentence(path, f"does not give the user {writers[prefix]} {wanted}", HEADING)
        if not channel and f'"{prefix}": "{writers[prefix]}"' not in tree.text(TEST):
            yield sentence(TEST, f"does not have {prefix} in WRITERS", HEADING)
    for prefix in sorted(writers.keys() - {value.partition(":")[0] + ":" for value in names.values()}):
        yield sentence(KEYSPACE, f"has a row for {prefix} and no constant of that prefix", HEADING)


def _constants(text: str) -> Iterator[tuple[str, str]]:
    """Yield the constants that hold a prefix ("tok:") or the name of a channel ("tok:changes")."""
    for node in ast.parse(text).body:
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(str(value))) if ":" in value:
                yield name, value
