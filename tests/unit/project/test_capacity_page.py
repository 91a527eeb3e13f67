"""The arithmetic of docs/capacity.md: results follow from measurements and assumptions."""

import math
import re

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "capacity.md").read_text()
SELLERS = (1_000, 100_000, 1_000_000)
SHARES = {"edge": 0.3, "gateway": 1.0, "account": 1.0, "token": 0.0, "iam": 0.0}


def row(name: str) -> list[list[float]]:
    """Return all numbers in each cell of the first row with this name."""
    line, *_ = re.findall(rf"^\| {re.escape(name)} \| (.+) \|$", PAGE, re.MULTILINE)
    return [[float(one) for one in re.findall(r"[\d.]+", cell)] for cell in cells(line)]


def cells(line: str) -> list[str]:
    """Return the cells, without thousands separators."""
    return [re.sub(r"(?<=\d),(?=\d{3}\b)", "", cell) for cell in line.split(" | ")]


def peak(sellers: int) -> float:
    return sellers * 1000 / 86_400 * 3


@pytest.mark.parametrize("name", SHARES)
def test_replicas_follow_from_the_costs(name: str) -> None:
    ((warm,), (cold,)) = row(name)
    for sellers, (cores, replicas) in zip(SELLERS, row(f"{name}: cores, replicas"), strict=True):
        wanted = peak(sellers) * SHARES[name] * warm / 1000 + sellers / 3600 * cold / 1000
        assert cores == pytest.approx(wanted, rel=0.05, abs=0.006)
        assert replicas == max(3 if name == "gateway" else 2, math.ceil(wanted / 0.7))


def test_the_rest_follows_too() -> None:
    ((warm,), (cold,)) = row("redis")
    ((seller,), (account,), (event,)) = (
        re.findall(rf"^\| {what} \| ([\d.]+) KiB \|$", PAGE, re.MULTILINE)
        for what in (
            "Redis, a seller with calls of three operations within the hour",
            "PostgreSQL, an account with its two first events",
            "PostgreSQL, an event of the audit log",
        )
    )
    units = (1024, 1024**2, 1024**2)  # the first column is in MiB, the others in GiB
    for index, sellers in enumerate(SELLERS):
        (calls,) = row("calls a second at the peak")[index]
        assert calls == round(peak(sellers))
        assert row("calls in flight, replicas by that (200 each)")[index] == [
            round(peak(sellers) * 0.3),
            math.ceil(peak(sellers) * 0.3 / 200),
        ]
        threads, primaries = row("Redis: threads, primaries")[index]
        assert threads == pytest.approx(peak(sellers) * warm / 1000 + sellers / 3600 * cold / 1000, rel=0.05, abs=0.006)
        assert primaries == max(1, math.ceil(threads / 0.6))
        for name, kibibytes in (
            ("Redis: memory (double it for room)", float(seller)),
            ("PostgreSQL: accounts", float(account)),
            ("PostgreSQL: audit log, a day", 24 * float(event)),
        ):
            assert row(name)[index][0] == pytest.approx(sellers * kibibytes / units[index], rel=0.06)
        connections, replicas = (
            row("PostgreSQL: connections (10 a replica)")[index],
            row("account: cores, replicas")[index],
        )
        assert connections == [replicas[1] * 10]
