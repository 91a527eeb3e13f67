"""The page of results says what was run, what was found and what was not run."""

from typing import Any

from scripts.results.page import CHECKS, page

MACHINE = {"cores": 2, "cpu": "a processor", "system": "Linux 6", "python": "3.11.7"}
SIMULATION = {"first": 1, "wanted": 20, "seeds": 9, "seconds": 4.0, "operations": 90, "faults": 12, "failures": []}
LEAKS: dict[str, Any] = {
    "canaries": {"a key": 2},
    "places": {"Redis": 2_000_000},
    "paths": ["calls", "crashes"],
    "allowed": ["REDIS_URL in an environment"],
    "seconds": 30.0,
    "leaks": [],
    "plants": [{"name": "one", "words": "A key is printed.", "places": ["log of token"]}],
}


PARSERS = {
    "seed": 1,
    "targets": {
        "a-parser": {
            "guided": True,
            "inputs": 70,
            "seconds": 2.5,
            "lines": 91.0,
            "branches": 80.5,
            "modules": 50.0,
            "faults": {"KeyError at a.py:1": {"details": "b", "input": "00"}},
        }
    },
}
FUZZ = {
    "seed": 1,
    "seconds": 9.0,
    "rpcs": 3,
    "requests": 2,
    "wrong": {"faults": ""},
    "RPCs by outcome": {"a.B/C": {"INVALID_REQUEST": 2, "OK": 1}},
    "requests by status": {"GET /": {"200": 2}},
}


def rows(text: str) -> dict[str, str]:
    """Return the last cell of each check in the overview."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "| `make " in line]
    return {row[1].strip("`").removeprefix("make "): row[-1] for row in cells}


def test_each_check_is_listed_with_its_result_or_as_not_run() -> None:
    text = page({"simulation": SIMULATION, "leaks": LEAKS}, {"simulation": 0.0, "leaks": 60.0}, MACHINE)
    found = rows(text)
    assert len(found) == len(CHECKS)
    assert (found.pop("simulate"), found.pop("leaks")) == ("no fault", "no fault")
    assert set(found.values()) == {"**not run**"}
    assert "Seeds 1 to 20, of which 9 ran, in 4 s" in text
    assert "| A key is printed. | log of token |" in text
    assert "1970-01-01 00:01" in text


def test_faults_are_counted_and_named() -> None:
    failed = {**SIMULATION, "failures": [{"seed": 7, "violations": ["a rule"]}]}
    missed = {**LEAKS, "plants": [{"name": "one", "words": "A key is printed.", "places": []}]}
    leaking = {**missed, "leaks": [{"kind": "a key", "place": "Redis", "begins": "x"}]}
    text = page({"simulation": failed, "leaks": leaking}, {"simulation": 0.0, "leaks": 0.0}, MACHINE)
    assert (rows(text)["simulate"], rows(text)["leaks"]) == ("**faults: 1**", "**faults: 2**")
    assert "- seed 7: a rule" in text
    assert "- **a key** in Redis" in text
    assert "| A key is printed. | **not found** |" in text


def test_the_longest_recovery_of_each_kind_is_named() -> None:
    one = {"group": "link reset", "operations": 9, "failed": {"call: INTERNAL": 2}, "violations": []}
    results = [{**one, "name": name, "recovery": seconds} for name, seconds in (("a", 1.0), ("b", 3.0), ("c", 2.0))]
    text = page({"chaos": {"seed": 1, "results": results, "repeated": {"a": ["quota"]}}}, {"chaos": 0.0}, MACHINE)
    assert "| link reset | 3.0 s | b |" in text
    assert "3 scenarios, of which 1 were repeated" in text


def test_fuzzing_is_shown_by_target() -> None:
    text = page({"fuzz": FUZZ, "fuzz-parsers": PARSERS}, {"fuzz": 0.0, "fuzz-parsers": 0.0}, MACHINE)
    assert (rows(text)["fuzz"], rows(text)["fuzz-parsers"]) == ("no fault", "**faults: 1**")
    assert "| a.B/C | INVALID_REQUEST 2, OK 1 |" in text
    assert "| GET / | 200 2 |" in text
    assert "| a-parser | yes | 70 | 2 | 91 % | 80 % | 50 % | KeyError at a.py:1 |" in text
