"""Every regular expression of the code takes time in proportion to the input, even to its worst input."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from sellergate.common.v1 import rules_pb2

from tests.fakes.cpu_time import cpu_time
from tests.paths import ROOT

PACKAGES = tuple(
    f"sellergate_{name}"
    for name in (
        "account",
        "amazon",
        "cli",
        "client",
        "common",
        "devstack",
        "edge",
        "gateway",
        "iam",
        "simulator",
        "token",
    )
)
METHODS = ("search", "match", "fullmatch", "sub", "findall", "finditer", "split", "subn")
SIZES = tuple(size * 1024 for size in (8, 16, 32, 64, 128))
# An input may take this many times as long as the same letters in pieces of the smallest size; times below the noise are ignored.
GROWTH, NOISE_SECONDS = 1.5, 0.003
MOST_PUMPS, MOST_REPEATS = 14, 12
WORD = "word"
SHARES = 30


@dataclass(frozen=True)
class Used:
    """An expression and its methods that the code calls."""

    pattern: str
    flags: int
    methods: frozenset[str]

    @property
    def compiled(self) -> "re.Pattern[str]":
        return re.compile(self.pattern, self.flags)


def sources() -> Iterator[ast.Module]:
    for folder in ("libs", "services", "simulator"):
        for path in sorted((ROOT / folder).rglob("sellergate_*/**/*.py")):
            yield ast.parse(path.read_text())


def called() -> dict[str, set[str]]:
    """Return the methods of expressions that the code calls on a name; a name that is passed on counts as used in every way."""
    found: dict[str, set[str]] = {}
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                owner = node.value
                name = (
                    owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
                )
                found.setdefault(name, set()).add(node.attr)
    return found


def in_modules() -> Iterator[Used]:
    """Yield the expressions in modules and classes after all imports."""
    names = called()
    for package in PACKAGES:
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}."):
            if "__main__" in info.name or ".migrations" in info.name:
                continue
            module = importlib.import_module(info.name)
            holders = [vars(module)] + [
                vars(kind)
                for kind in vars(module).values()
                if isinstance(kind, type) and kind.__module__.startswith("sellergate_")
            ]
            for holder in holders:
                for name, value in holder.items():
                    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                        yield Used(value.pattern, value.flags, frozenset(names.get(name, METHODS[:3])))


def in_calls() -> Iterator[Used]:
    """Yield the expressions in calls such as re.sub("…", …), and those that a function compiles."""
    for tree in sources():
        for node in ast.walk(tree):
            function = node.func if isinstance(node, ast.Call) else None
            if not isinstance(node, ast.Call) or not isinstance(function, ast.Attribute) or not node.args:
                continue
            of_re = isinstance(function.value, ast.Name) and function.value.id == "re"
            text = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if of_re and isinstance(text, str) and function.attr in (*METHODS, "compile"):
                methods = METHODS[:3] if function.attr == "compile" else (function.attr,)
                if function.attr != "compile":
                    yield Used(text, 0, frozenset(methods))


def in_protos() -> Iterator[Used]:
    """Yield the patterns of fields, which validation matches in full."""
    pool, seen = descriptor_pool.Default(), set[str]()

    def of(message: Descriptor) -> Iterator[Used]:
        if message.full_name in seen:
            return
        seen.add(message.full_name)
        for field in message.fields:
            pattern = field.GetOptions().Extensions[rules_pb2.rules].pattern
            if pattern:
                yield Used(pattern, re.ASCII, frozenset({"fullmatch"}))
            if field.message_type is not None:
                yield from of(field.message_type)

    for path in sorted((ROOT / "protos" / "sellergate").rglob("*_service.proto")):
        name = str(path.relative_to(ROOT / "protos"))
        importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        for service in pool.FindFileByName(name).services_by_name.values():
            for method in service.methods:
                yield from of(method.input_type)


def examples(parsed: Any) -> list[str]:
    """Return short texts that match a part of an expression, a few for each alternative."""
    texts = [""]
    for operation, argument in parsed:
        texts = [before + after for before in texts[:8] for after in _of(operation, argument)[:6]]
    return texts


def _of(operation: Any, argument: Any) -> list[str]:
    match operation:
        case constants.LITERAL:
            return [chr(argument)]
        case "word":
            return [argument]
        case constants.NOT_LITERAL:
            return ["a" if argument != ord("a") else "b"]
        case constants.ANY:
            return ["a", "/"]
        case constants.IN:
            return _members(argument)
        case constants.MAX_REPEAT | constants.MIN_REPEAT | constants.POSSESSIVE_REPEAT:
            least, _, body = argument
            return [one * max(1, min(least, 20)) for one in examples(body)]
        case constants.SUBPATTERN:
            return examples(argument[3])
        case constants.ATOMIC_GROUP:
            return examples(argument)
        case constants.BRANCH:
            return [text for branch in argument[1] for text in examples(branch)]
    return [""]


def _inside(operation: Any, argument: Any) -> list[Any]:
    match operation:
        case constants.MAX_REPEAT | constants.MIN_REPEAT | constants.POSSESSIVE_REPEAT:
            return [argument[2]]
        case constants.SUBPATTERN:
            return [argument[3]]
        case constants.BRANCH:
            return list(argument[1])
        case constants.ATOMIC_GROUP:
            return [argument]
    return []


def _members(members: Any) -> list[str]:
    if members[0][0] is constants.NEGATE:
        return [one for one in "a-." if not re.match(_rebuilt(members[1:]), one)] or ["\u00e9"]
    found = []
    for operation, argument in members:
        if operation is constants.LITERAL:
            found.append(chr(argument))
        elif operation is constants.RANGE:
            found.append(chr(argument[0]))
        else:
            found.append({constants.CATEGORY_DIGIT: "0", constants.CATEGORY_SPACE: " "}.get(argument, "a"))
    # The less frequent letters are those that end other parts: "-" and "." end words.
    return sorted(found, key=lambda one: (one.isalnum(), one))[:4] + found[:2]


def _rebuilt(members: Any) -> str:
    texts = []
    for operation, argument in members:
        if operation is constants.LITERAL:
            texts.append(re.escape(chr(argument)))
        elif operation is constants.RANGE:
            texts.append(f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}")
        else:
            texts.append({constants.CATEGORY_SPACE: r"\s", constants.CATEGORY_DIGIT: r"\d"}.get(argument, r"\w"))
    return f"[{''.join(texts)}]"


def pumps(pattern: str, flags: int) -> list[tuple[str, str]]:
    """Yield prefixes with a text to repeat: each prefix of the expression, with the body of each repetition after it."""
    found: dict[tuple[str, str], None] = {}

    def walk(parsed: Any, before: str) -> None:
        nodes = _joined(parsed)
        for place in range(len(nodes)):
            operation, argument = nodes[place]
            for prefix in examples(nodes[:place])[:3]:
                for text in _of(operation, argument)[:4]:
                    found.setdefault(("", before + prefix + text))
                    found.setdefault((before + prefix, text))
                for body in _inside(operation, argument):
                    walk(body, before + prefix)

    walk(parser.parse(pattern, flags), "")
    return [one for one in found if one[1]][:MOST_PUMPS]


def _joined(parsed: Any) -> list[tuple[Any, Any]]:
    """Return the nodes of an expression, with consecutive letters as one node."""
    nodes: list[tuple[Any, Any]] = []
    for operation, argument in parsed:
        if operation is constants.LITERAL and nodes and nodes[-1][0] is WORD:
            nodes[-1] = WORD, nodes[-1][1] + chr(argument)
        else:
            nodes.append((WORD, chr(argument)) if operation is constants.LITERAL else (operation, argument))
    return nodes


def seconds(work: Callable[[str], object], text: str, times: int = 1) -> float:
    """Return the CPU time of a number of runs, in seconds."""
    with cpu_time() as spent:
        for _ in range(times):
            work(text)
    return spent.seconds


def worst_growth(used: Used, sizes: tuple[int, ...] = SIZES) -> str:
    """Return a description of the first input whose time grows faster than its size; empty if there is none."""
    compiled = used.compiled
    for method in sorted(used.methods):
        bound = getattr(compiled, method)
        work = (lambda text, bound=bound: bound("", text)) if method in ("sub", "subn") else bound
        if method == "finditer":
            work = lambda text, bound=bound: list(bound(text))  # noqa: E731
        for prefix, pump in pumps(used.pattern, used.flags):
            found = _growth(work, prefix, pump, sizes)
            if found:
                return f"{method} of {used.pattern!r} on {prefix!r} + {pump!r} * n: {found}"
    return ""


def _growth(work: Callable[[str], object], prefix: str, pump: str, sizes: tuple[int, ...]) -> str:
    """Compare inputs of growing sizes with the same number of letters in pieces of the smallest size.

    Both are measured one right after the other, for about as long, so that what slows the processor slows both. An input
    fails only if it does so in every repetition.
    """
    piece, *larger = (prefix + pump * (size // len(pump)) + "\x00" for size in sizes)
    for size, text in zip(sizes[1:], larger, strict=True):
        pieces = size // sizes[0]
        for _ in range(MOST_REPEATS):
            whole = seconds(work, text)
            if whole <= NOISE_SECONDS:
                break
            in_pieces = seconds(work, piece, pieces)
            if whole <= in_pieces * GROWTH + NOISE_SECONDS:
                break
        else:
            return f"{size} letters take {whole:.4f} s, in {pieces} pieces {in_pieces:.4f} s"
    return ""


@cache
def expressions() -> list[Used]:
    """Return all expressions. Not when this module is imported, which every process of the tests does."""
    return sorted({*in_modules(), *in_calls(), *in_protos()}, key=lambda used: (used.pattern, used.flags))


def test_all_are_found() -> None:
    assert len(expressions()) > 60
    assert any("amzn1" in used.pattern for used in expressions())


@pytest.mark.parametrize("share", range(SHARES))
def test_time_grows_as_the_input_does(share: int) -> None:
    assert [found for used in expressions()[share::SHARES] if (found := worst_growth(used))] == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"\beyJ[\w-]+(?:\.[\w-]*){2,4}",
        r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]*",
        r"access token.*(expired|revoked|malformed|invalid)",
    ],
)
def test_the_measurement_finds_expressions_that_look_back(pattern: str) -> None:
    """The first three were in the code: 48 kB took the first one ten seconds."""
    assert worst_growth(Used(pattern, 0, frozenset({"search"})), sizes=tuple(1024 << shift for shift in range(1, 7)))
