"""The router of the catalogue: which template a method and a percent-encoded path belong to.

Templates hang in a tree of segments, so a look-up costs the segments of the path and not the number of templates.
At every level a static segment is tried before a templated one, also when the difference shows only deeper down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    static: dict[str, "_Node[T]"] = field(default_factory=dict)
    templated: "_Node[T] | None" = None
    leaves: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)
    """By method: what is here, and the names of the parameters on the way."""
    spanning: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)
    """By method: what ends here with a parameter that takes the whole rest of the path."""


class Routes(Generic[T]):
    """Templates such as `/a/{b}/c`, each for one method, and what they lead to."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, target: T, *, spans_slashes: bool = False) -> None:
        """Add a template. `spans_slashes`: its last segment is a parameter that may contain slashes.

        Raises ValueError when another target has this method and shape.
        """
        node = self._root
        names: list[str] = []
        segments = template.split("/")[1:]
        for position, segment in enumerate(segments):
            name = parameter_name(segment)
            if name is None:
                node = node.static.setdefault(segment, _Node())
                continue
            names.append(name)
            if spans_slashes and position == len(segments) - 1:
                break
            node.templated = node.templated or _Node()
            node = node.templated
        leaves = node.spanning if spans_slashes else node.leaves
        if method in leaves:
            raise ValueError(f"two operations answer {method} {template}")
        leaves[method] = (target, tuple(names))

    def find(self, method: str, encoded_path: str) -> tuple[T, dict[str, str]] | None:
        """Return the target and the decoded parameters, or None. Any two strings may be asked for."""
        if not encoded_path.startswith("/"):
            return None
        segments = [unquote(segment) for segment in encoded_path.split("/")[1:]]
        for (target, names), values in self._candidates(self._root, method, segments, ()):
            return target, dict(zip(names, values, strict=True))
        return None

    def _candidates(
        self, node: _Node[T], method: str, segments: list[str], values: tuple[str, ...]
    ) -> Iterator[tuple[tuple[T, tuple[str, ...]], tuple[str, ...]]]:
        """Yield what matches, best first. The depth is bounded by the deepest template, not by the path."""
        if not segments:
            if method in node.leaves:
                yield node.leaves[method], values
            return
        head, rest = segments[0], segments[1:]
        if head in node.static:
            yield from self._candidates(node.static[head], method, rest, values)
        if head and node.templated is not None:
            yield from self._candidates(node.templated, method, rest, (*values, head))
        if head and method in node.spanning:
            yield node.spanning[method], (*values, "/".join(segments))


def parameter_name(segment: str) -> str | None:
    """Return `b` for the template segment `{b}` and None for a static one."""
    return segment[1:-1] if segment.startswith("{") and segment.endswith("}") else None
