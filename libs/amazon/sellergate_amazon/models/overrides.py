"""Overrides: reviewed facts that Amazon's models lack, each with its source; read from a file and applied to rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sellergate_amazon.catalogue_file import check_fact
from sellergate_amazon.data_files import DataFileError, read_json

REVIEWED = Path(__file__).with_name("overrides.json")
"""The overrides of this release."""
_SECTIONS = ("api_names", "added", "facts")


@dataclass(frozen=True, slots=True)
class Overrides:
    """Facts about Amazon's operations beyond its models."""

    file: Path
    api_names: Mapping[str, str]
    """Names of APIs whose file name is unsuitable."""
    added: tuple[Mapping[str, Any], ...]
    """Rows of operations that the models lack."""
    facts: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    """Sets of facts by operation; no fact occurs twice."""

    @staticmethod
    def read(file: Path = REVIEWED) -> "Overrides":
        """Return the overrides of a file. Raises DataFileError that names an unknown, repeated or unsourced entry."""
        document = read_json(file)
        if not isinstance(document, dict) or set(document) != set(_SECTIONS):
            raise DataFileError(file, "", f"must be an object with {', '.join(_SECTIONS)}")
        names = document["api_names"]
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise DataFileError(file, "api_names", "must be an object of texts")
        added = tuple(_sourced(file, "added", document["added"], "operation_id"))
        facts: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for given in _sourced(file, "facts", document["facts"], "operation"):
            name = given.pop("operation")
            before = facts.get(name, ())
            twice = {fact for one in before for fact in one} & set(given)
            if twice:
                raise DataFileError(file, f"facts of {name}", f"{min(twice)} is given twice")
            facts[name] = (*before, given)
        return Overrides(file, names, added, facts)

    def applied(self, rows: Iterable[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
        """Return the rows with the overrides applied; findings for a reviewer are added to `notes`.

        A rate from Amazon's SDK is that client's default, so a rate in the model takes precedence.
        """
        left, found = dict(self.facts), []
        for row in rows:
            corrected = dict(row)
            for given in left.pop(row["name"], ()):
                _correct(corrected, given, notes)
            corrected["deprecated"] = corrected["deprecated"] or "removal_date" in corrected
            found.append(corrected)
        notes += [f"{name}: an override has facts about it, and the models have no such operation" for name in left]
        return found


def _correct(row: dict[str, Any], given: Mapping[str, Any], notes: list[str]) -> None:
    if given.get("rate_source") == "sdk" and row["rate_source"] == "model":
        notes.append(f"{row['name']}: the model states a rate now; the override from Amazon's SDK is no longer needed")
        return
    same = [fact for fact in given if fact in row and row[fact] == given[fact]]
    notes += [f"{row['name']}: the override of {fact} repeats the model, and is no longer needed" for fact in same]
    row.update(given)


def _sourced(file: Path, section: str, entries: Any, named_by: str) -> list[dict[str, Any]]:
    """Return a section's entries without their sources, after a check of each fact. Raises DataFileError."""
    if not isinstance(entries, list):
        raise DataFileError(file, section, "must be an array")
    found = []
    for number, entry in enumerate(entries, start=1):
        place = f"{section}, entry {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get(named_by), str):
            raise DataFileError(file, place, f"must be an object with {named_by}")
        place = f"{place} ({entry[named_by]:.100})"
        given = dict(entry)
        source = given.pop("source", None)
        if not isinstance(source, str) or not source:
            raise DataFileError(file, place, "names no source; add `source`")
        for fact, value in given.items():
            if fact != "operation":
                check_fact(file, place, fact, value)
        found.append(given)
    return found
