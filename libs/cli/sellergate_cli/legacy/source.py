"""The former database, opened for a run: the table, the cipher, and lines that describe both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.detection import SAMPLE_ROWS, detect
from sellergate_cli.legacy.keys import parse_key
from sellergate_cli.legacy.naming import Naming
from sellergate_cli.legacy.table import LegacyTable, open_table


@dataclass(frozen=True, slots=True)
class Source:
    """The location, column names and key of the former accounts."""

    database_url: SecretStr
    key: SecretStr
    key_from: str | None
    naming: Naming

    @contextmanager
    def opened(self) -> Iterator[tuple[LegacyTable, LegacyCipher, list[str]]]:
        """Open the table and detect its layouts; yield both with lines for the operator. Raises SentenceError."""
        key = parse_key(self.key, self.key_from)
        with open_table(self.database_url, self.naming) as table:
            detected = detect(table.sample(SAMPLE_ROWS), key.value)
            renamed = [
                f"{legacy_name} as {sellergate_name}"
                for sellergate_name, legacy_name in table.columns.items()
                if sellergate_name != legacy_name
            ]
            names = f", columns {', '.join(renamed)}" if renamed else ""
            lines = [f"Table {table.name}{names}; key: {key.form}"]
            lines += [f"  {line}" for line in detected.lines()] + list(detected.notices)
            yield table, LegacyCipher(key.value, detected.layouts), lines
