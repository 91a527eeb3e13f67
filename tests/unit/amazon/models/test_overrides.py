"""Overrides are reviewed facts with sources; one that no longer matches its model is reported, and none is dropped silently."""

from pathlib import Path
from typing import Any

import pytest
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.overrides import Overrides

from tests.fakes.amazon_models import write_overrides

NAME = "orders/v0/getOrder"


def given(tmp_path: Path, *facts: dict[str, Any]) -> Overrides:
    return Overrides.read(write_overrides(tmp_path, facts=[{"operation": NAME, "source": "s", **one} for one in facts]))


def row(**facts: Any) -> dict[str, Any]:
    return {"name": NAME, "rate": None, "burst": None, "rate_source": None, "deprecated": False} | facts


def test_facts_of_several_sources_go_into_one_row(tmp_path: Path) -> None:
    overrides = given(tmp_path, {"restricted": True}, {"rate": 2.0, "burst": 3, "rate_source": "sdk"})
    notes: list[str] = []
    assert overrides.applied([row()], notes) == [row(restricted=True, rate=2.0, burst=3, rate_source="sdk")]
    assert notes == []


def test_a_day_of_removal_means_deprecated(tmp_path: Path) -> None:
    (found,) = given(tmp_path, {"removal_date": "2030-01-01"}).applied([row()], [])
    assert found["deprecated"] is True


def test_a_rate_of_the_model_wins_over_that_of_the_sdk(tmp_path: Path) -> None:
    notes: list[str] = []
    stated = row(rate=1.0, burst=1, rate_source="model")
    assert given(tmp_path, {"rate": 2.0, "burst": 3, "rate_source": "sdk"}).applied([stated], notes) == [stated]
    assert len(notes) == 1
    assert NAME in notes[0]


def test_an_override_that_repeats_its_model_or_has_none_is_reported(tmp_path: Path) -> None:
    notes: list[str] = []
    given(tmp_path, {"restricted": True}).applied([row(restricted=True)], notes)
    given(tmp_path, {"restricted": True}).applied([], notes)
    assert ["repeats the model" in notes[0], "no such operation" in notes[1], len(notes)] == [True, True, 2]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"more": []}, "must be an object with"),
        ({"api_names": {"a": 1}}, "api_names"),
        ({"added": 1}, "added"),
        ({"added": [{"operation_id": "x"}]}, "added, entry 1 (x): names no source"),
        ({"facts": [{"operation": NAME, "restricted": True}]}, f"entry 1 ({NAME}): names no source"),
        ({"facts": [{"source": "s"}]}, "facts, entry 1: must be an object with operation"),
        ({"facts": [{"operation": NAME, "source": "s", "rate": -1}]}, "rate must be a number"),
        ({"facts": [{"operation": NAME, "source": "s", "restircted": True}]}, "restircted is not a fact"),
        ({"facts": [{"operation": NAME, "source": "s", "rate": 1}] * 2}, f"facts of {NAME}: rate is given twice"),
    ],
)
def test_overrides_that_cannot_be_used_are_refused_by_entry(
    tmp_path: Path, sections: dict[str, Any], words: str
) -> None:
    file = write_overrides(tmp_path, **sections)
    with pytest.raises(DataFileError) as caught:
        Overrides.read(file)
    assert words in str(caught.value)
    assert caught.value.file == str(file)


def test_the_reviewed_overrides_are_well_formed() -> None:
    overrides = Overrides.read()
    assert overrides.facts
    assert len({(one["method"], one["path"]) for one in overrides.added}) == len(overrides.added)
