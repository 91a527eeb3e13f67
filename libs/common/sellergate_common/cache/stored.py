"""The content of Redis under the name of an entry: the entry with its remaining life, and the failure remembered in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

READ = "redis.call('GET', {entry}), redis.call('PTTL', {entry}), redis.call('GET', {failure})"
"""The part of a script that reads the fields of a `Stored`; `entry` and `failure` are the script's keys."""


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A sealed entry, the seconds until its end by Redis' clock, and a sealed failure; None and 0 where there is none."""

    entry: str | None = None
    left: float = 0.0
    failure: str | None = None

    @classmethod
    def parse(cls, fields: Sequence[Any]) -> "Stored":
        """Return the fields that a script has read."""
        entry, milliseconds, failure = fields
        return cls(entry, max(0, int(milliseconds)) / 1000, failure)


NOTHING = Stored()


def failure_key(name: str) -> str:
    """Return the name under which the failure of an entry is remembered; it has the entry's hash tag."""
    return f"{name}:fail"
