"""Data files about Amazon: JSON read from a path, and the one error that names the faulty entry and its fault."""

import json
from pathlib import Path
from typing import Any


class DataFileError(ValueError):
    """A data file that cannot be used. The message names the file, the entry and the fault."""

    def __init__(self, file: Path | str, entry: str, fault: str) -> None:
        super().__init__(f"{file}: {entry}: {fault}" if entry else f"{file}: {fault}")
        self.file, self.entry, self.fault = str(file), entry, fault


def read_json(file: Path) -> Any:
    """Return the JSON document of a file. Raises DataFileError."""
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DataFileError(file, "", f"cannot be read: {error.strerror}") from None
    except RecursionError:
        raise DataFileError(file, "", "nests too deeply") from None
    except ValueError as error:
        raise DataFileError(file, "", f"is not JSON in UTF-8: {error}") from None
