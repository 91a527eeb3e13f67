"""The packages of an extra, by the metadata of the installed distribution, and the ones that are missing."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution, requires, version

DISTRIBUTION = "sellergate"
# "redis[hiredis]>=8.1; extra == 'cache'": name, its extras, and the extra of Sellergate that it belongs to.
_LINE = re.compile(
    r"""(?P<name>[\w.-]++)\s*+(\[(?P<options>[^\]]*+)\])?[^;]*+;.*\bextra == ['"](?P<extra>[\w-]+)['"]"""
)


def packages_of(extra: str, lines: Iterable[str]) -> set[str]:
    """Return the names of the packages that an extra lists, also through other extras, of `lines` of metadata."""
    matches = [match for line in lines if (match := _LINE.match(line))]
    found: set[str] = set()
    todo, seen = [extra], set[str]()
    while todo:
        present = todo.pop()
        if present in seen:
            continue
        seen.add(present)
        for match in matches:
            if match["extra"] != present:
                continue
            if match["name"] == DISTRIBUTION:
                todo += [name.strip() for name in (match["options"] or "").split(",")]
            else:
                found.add(match["name"])
    return found


def missing_packages(extra: str) -> list[str]:
    """Return the sorted names of an extra's packages that are not installed."""
    return sorted(name for name in packages_of(extra, requires(DISTRIBUTION) or ()) if not _is_installed(name))


def advice(script: str, extra: str, missing: Sequence[str]) -> str:
    """Return the sentence for an operator of a script whose extra is not installed."""
    wheel = f"{DISTRIBUTION}-{version(DISTRIBUTION)}-py3-none-any.whl"
    return (
        f"{script} needs the extra {extra} (not installed: {', '.join(missing)})."
        f" Install the wheel with it: pip install './{wheel}[{extra}]'"
    )


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
