"""The router of the catalogue: it finds the template of a method and a percent-encoded path.

Templates form a tree of segments, so the cost of a look-up depends on the length of the path and not on the number of
templates. At every level a static segment is tried before a templated one, even if only a deeper level decides.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    static: dict[str, "_Node[T]"] = field(default_factory=dict)
    templated: "_Node[T] | None" = None
    leaves: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)
    """By method: the target of this node, and the names of the path's parameters."""
    spanning: dict[str, tuple[T, tuple[str, ...]]] = field(default_factory=dict)
    """By method: the targets whose last parameter takes the whole rest of the path."""


class Routes(Generic[T]):
    """Templates such as `/a/{b}/c`, each for one method, with their targets."""

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
            raise ValueError(f"two operations have {method} {template}")
        leaves[method] = (target, tuple(names))

    def find(self, method: str, encoded_path: str) -> tuple[T, dict[str, str]] | None:
        """Return the target and the decoded parameters, or None. Any two strings are accepted."""
        if not encoded_path.startswith("/"):
            return None
        whole = encoded_path.split("/")[1:]
        segments = list(map(unquote, whole)) if "%" in encoded_path else whole
        found = self._find(self._root, method, segments, 0, ())
        if found is None:
            return None
        (target, names), values = found
        return target, dict(zip(names, values, strict=True))

    def _find(
        self, node: _Node[T], method: str, segments: list[str], at: int, values: tuple[str, ...]
    ) -> tuple[tuple[T, tuple[str, ...]], tuple[str, ...]] | None:
        """Return the best match below a node. The depth is bounded by the deepest template, not by the path."""
        if at == len(segments):
            return (node.leaves[method], values) if method in node.leaves else None
        head, found = segments[at], None
        if head in node.static:
            found = self._find(node.static[head], method, segments, at + 1, values)
        if found is None and head and node.templated is not None:
            found = self._find(node.templated, method, segments, at + 1, (*values, head))
        if found is None and head and method in node.spanning:
            found = node.spanning[method], (*values, "/".join(segments[at:]))
        return found


def parameter_name(segment: str) -> str | None:
    """Return `b` for the template segment `{b}` and None for a static one."""
    return segment[1:-1] if segment.startswith("{") and segment.endswith("}") else None
