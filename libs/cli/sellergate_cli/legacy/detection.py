"""Detection, from a sample of rows, of each column's encryption layout and of a wrong key."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretBytes

from sellergate_cli.legacy.ciphers import ENCRYPTED, decrypt
from sellergate_cli.legacy.keys import HOW_TO
from sellergate_cli.legacy.layouts import Layout, is_plaintext, read_layout
from sellergate_cli.operator import SentenceError

SAMPLE_ROWS = 1000


@dataclass(slots=True)
class _Column:
    """Counts of a column's sampled values. `closed` counts those that cannot be decrypted."""

    opened: Counter[Layout] = field(default_factory=Counter)
    closed: int = 0
    plaintext: int = 0
    others: int = 0

    def count(self, value: object, name: str, key: SecretBytes) -> None:
        """Count one value."""
        found = read_layout(value)
        if found and decrypt(key, found[1]) is not None:
            self.opened[found[0]] += 1
        elif is_plaintext(value, name):
            self.plaintext += 1
        elif found:
            self.closed += 1
        else:
            self.others += 1


@dataclass(frozen=True, slots=True)
class Detection:
    """How a table is encrypted: the layout by column, and sentences for the operator."""

    layouts: Mapping[str, Layout]
    notices: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return one line for each encrypted column."""
        return [f"{name}: {self.layouts.get(name, 'no value decrypts')}" for name in ENCRYPTED]


def detect(sample: Iterable[Mapping[str, Any]], key: SecretBytes) -> Detection:
    """Detect the layouts of a table. Raises SentenceError for a wrong key and for a column with several layouts."""
    columns = {name: _Column() for name in ENCRYPTED}
    for row in sample:
        for name, column in columns.items():
            column.count(row[name], name, key)
    if not any(column.opened for column in columns.values()) and any(column.closed for column in columns.values()):
        raise SentenceError(
            "No row decrypts with this key, which is probably the wrong one. Nothing was imported. Give the key that the"
            f" former system uses, or {HOW_TO}."
        )
    for name, column in columns.items():
        if len(column.opened) > 1:
            counts = " and ".join(f"{count} {layout}" for layout, count in column.opened.most_common())
            raise SentenceError(
                f"The column {name} is mixed; of the sampled values, {counts}. Nothing was imported. Encrypt them"
                " in one layout, or make a view of the rows of each layout and import one view after the other with --table."
            )
    layouts = {name: next(iter(column.opened)) for name, column in columns.items() if column.opened}
    return Detection(layouts, tuple(_notices(columns)))


def _notices(columns: Mapping[str, _Column]) -> Iterable[str]:
    for name, column in columns.items():
        encrypted = column.opened.total() + column.closed
        if column.plaintext and encrypted:
            yield (
                f"The table is half migrated: of the sampled values of {name}, {column.plaintext} are plaintext and"
                f" {encrypted} encrypted. Rows with plaintext are refused; let the former system encrypt them, then import again."
            )
        elif column.plaintext:
            yield (
                f"The column {name} is not encrypted: {column.plaintext} sampled values are plaintext. Their rows are refused;"
                " let the former system encrypt them, then import again."
            )
