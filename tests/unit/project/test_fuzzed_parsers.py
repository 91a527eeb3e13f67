"""A slice of the fuzzing of parsers: each target with its seeds and some mutations, and the faults that planted parsers have."""

import random
import time
from itertools import islice

import pytest

from tests.fuzz.parsers import target
from tests.fuzz.parsers.engine import Extent, fuzz
from tests.fuzz.parsers.mutation import mutations
from tests.fuzz.parsers.registry import TARGETS
from tests.fuzz.parsers.target import CANARY, Parser

INPUTS = 150
SECONDS = 0.05
SLOW_INPUTS = 12
SLOW = frozenset({"sqs-response", "sts-response", "signing-keys"})
"""Targets whose inputs take a millisecond or more."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_finds_no_fault(name: str) -> None:
    parser = TARGETS[name].load()
    report = fuzz(parser, Extent(inputs=len(parser.seeds) + (SLOW_INPUTS if name in SLOW else INPUTS)))
    assert report.faults == {}
    assert report.inputs > len(parser.seeds)


def strict(data: bytes) -> object:
    """Parse a number, and document ValueError."""
    return int(data.decode("latin-1"))


def plant(wrong: str, data: bytes) -> object:
    """Parse as `strict` does, but for one fault."""
    if not data.isdigit():
        if wrong == "raises another error":
            return {}[data]
        if wrong == "repeats a secret":
            raise ValueError(CANARY)
        if wrong == "takes too long":
            until = time.thread_time() + 2 * SECONDS
            while time.thread_time() < until:
                pass
    return strict(data)


def planted(wrong: str) -> Parser:
    return Parser(lambda data: plant(wrong, data), (ValueError,), (b"1", b"23", b"456"))


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ("raises another error", "KeyError at "),
        ("repeats a secret", "ValueError repeats a secret"),
        ("takes too long", "takes too long"),
    ],
)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, wrong: str, kind: str) -> None:
    monkeypatch.setattr(target, "MOST_SECONDS", SECONDS)
    parser = planted(wrong)
    for number in range(1, 40):
        report = fuzz(parser, Extent(inputs=len(parser.seeds) + 1, seed=number))
        if report.faults:
            break
    (found,) = report.faults
    assert found.startswith(kind)
    # The input that was kept finds the fault again.
    again = Parser(parser.parse, parser.errors, (bytes.fromhex(report.faults[found]["input"]),))
    assert list(fuzz(again, Extent(inputs=1)).faults) == [found]


def test_too_much_memory_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([10**8, 10**8 + target.MOST_GROWTH_BYTES, 10**8, 10**8 + target.MOST_GROWTH_BYTES + 1])
    monkeypatch.setattr(target, "_peak", lambda: next(peaks))
    assert target.fault_of(planted(""), b"1") is None
    fault = target.fault_of(planted(""), b"1")
    assert fault is not None
    assert fault.kind == "takes too much memory"


def test_a_right_parser_has_no_fault_and_a_seed_repeats_a_run() -> None:
    parser = planted("")
    assert fuzz(parser, Extent(inputs=500)).faults == {}
    first, second = (list(islice(mutations(parser.seeds, random.Random(7)), 50)) for _ in range(2))
    assert first == second
    assert len(set(first)) > 30
