"""The differences between two catalogues: a change for each fact of an operation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sellergate_amazon.operations import Operation

# Each kind of change with its facts.
_KINDS = {
    "RATE": ("rate",),
    "BURST": ("burst",),
    "RATE_SOURCE": ("rate_source",),
    "APPLICATION_RATE": ("application_rate", "application_burst"),
    "RESTRICTED": ("restricted", "restricted_data_elements", "restricted_basis"),
    "GRANTLESS": ("grantless_scope",),
    "DEPRECATED": ("deprecated", "removal_date"),
    "PAGINATION": (
        "paginated_by",
        "next_token_path",
        "page_list",
        "next_keeps",
        "next_sets",
        "next_operation",
        "pages_in_body",
    ),
    "SANDBOX": ("sandbox", "sandbox_only"),
    "RESPONSE": ("success_status", "envelope", "document"),
    "REPEATABLE": ("repeatable",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are texts, empty for an absent fact."""

    kind: str
    operation: str
    before: str
    after: str


def changes(old: Iterable[Operation], new: Iterable[Operation]) -> list[Change]:
    """Return the differences, sorted by operation: moved, added and removed operations, then changed facts.

    Two rows are the same operation if their names are equal, or if their methods and paths are equal (MOVED).
    """
    before, after = _by_name(old), _by_name(new)
    removed, added = set(before) - set(after), set(after) - set(before)
    places = {_place(after[name]): name for name in added}
    pairs = {name: name for name in set(before) & set(after)}
    pairs |= {name: places[_place(before[name])] for name in removed if _place(before[name]) in places}
    found = [Change("REMOVED", name, _place(before[name]), "") for name in removed - set(pairs)]
    found += [Change("NEW", name, "", _place(after[name])) for name in added - set(pairs.values())]
    for name, renamed in pairs.items():
        found += _changes_of(before[name], after[renamed])
    return sorted(found, key=lambda change: (change.operation, change.kind))


def _changes_of(old: Operation, new: Operation) -> list[Change]:
    found = []
    if (old.name, _place(old)) != (new.name, _place(new)):
        found.append(Change("MOVED", old.name, _full(old, new), _full(new, old)))
    for kind, facts in _KINDS.items():
        was, now = ([getattr(one, fact) for fact in facts] for one in (old, new))
        if was != now:
            differing = [fact for fact, first, second in zip(facts, was, now, strict=True) if first != second]
            found.append(Change(kind, new.name, _facts(old, differing), _facts(new, differing)))
    # Catalogues from before the recording of parameters have none.
    if old.parameters is not None and new.parameters is not None and old.parameters != new.parameters:
        lost, added = (sorted(set(one) - set(other)) for one, other in _both_ways(old.parameters, new.parameters))
        found.append(Change("PARAMETERS", new.name, ", ".join(lost), ", ".join(added)))
    return found


def _both_ways(first: Any, second: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (first, second), (second, first)


def _by_name(operations: Iterable[Operation]) -> dict[str, Operation]:
    return {operation.name: operation for operation in operations}


def _place(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def _full(operation: Operation, other: Operation) -> str:
    """Return method and path, after the name if the name differs."""
    return _place(operation) if operation.name == other.name else f"{operation.name}: {_place(operation)}"


def _facts(operation: Operation, facts: list[str]) -> str:
    if len(facts) == 1:
        return _shown(getattr(operation, facts[0]))
    return ", ".join(f"{fact} {_shown(getattr(operation, fact))}" for fact in facts)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join("=".join(one) if isinstance(one, tuple) else str(one) for one in value) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
