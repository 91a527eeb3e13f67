"""The text of docs/results.md."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from benches.bounds import BOUNDS

Document = Mapping[str, Any]

HEAD = """# Results of the long checks

This page is generated: each check below writes its result into `dist/`, and `make results` writes the page from these files. It
says what was run, with which seeds, what was found, and what was not run. Only a simulation follows from its seed; a run of real
processes does not repeat exactly.

"""


def page(documents: Mapping[str, Document], times: Mapping[str, float], machine: Document) -> str:
    """Return the page. `documents` are the results by the name of their check, `times` when each was written."""
    parts = [HEAD, *_machine(machine), *_overview(documents, times)]
    for name, check in CHECKS.items():
        if name in documents:
            parts += [f"## {check.title}\n\n", *(f"{line}\n" for line in check.lines(documents[name])), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def _machine(machine: Document) -> Iterator[str]:
    cores = f"{machine['cores']} cores ({machine['cpu']})"
    yield f"The page was written on {cores} with {machine['system']}, Python {machine['python']}.\n\n"


def _overview(documents: Mapping[str, Document], times: Mapping[str, float]) -> Iterator[str]:
    yield "| check | command | ended (UTC) | result |\n|---|---|---|---|\n"
    for name, check in CHECKS.items():
        document = documents.get(name)
        if document is None:
            yield f"| {check.title} | `{check.command}` | | **not run** |\n"
            continue
        ended = datetime.fromtimestamp(times[name], UTC).strftime("%Y-%m-%d %H:%M")
        faults = check.faults(document)
        yield f"| {check.title} | `{check.command}` | {ended} | {f'**faults: {faults}**' if faults else 'no fault'} |\n"
    yield "\n"


class Check:
    """A long check: its command, the number of faults in its result, and the lines of its section."""

    def __init__(
        self, title: str, command: str, faults: Callable[[Document], int], lines: Callable[[Document], Iterator[str]]
    ) -> None:
        self.title, self.command, self.faults, self.lines = title, command, faults, lines


def _simulation(found: Document) -> Iterator[str]:
    first, count = found["first"], found["seeds"]
    yield f"Seeds {first} to {first + found['wanted'] - 1}, of which {count} ran, in {found['seconds']:.0f} s:"
    yield f"{found['operations']} operations under {found['faults']} faults. {len(found['failures'])} seeds broke an invariant."
    yield from (f"- seed {one['seed']}: {one['violations'][0]}" for one in found["failures"])


def _plants(found: Document) -> Iterator[str]:
    yield f"At most {found['seeds']} seeds for each plant.\n"
    yield "| plant | found by seed | invariant |\n|---|---|---|"
    for one in found["plants"]:
        yield f"| {one['name']} | {one['seed'] if one['seed'] is not None else '**not found**'} | {_cell(one['words'])} |"


def _chaos(found: Document) -> Iterator[str]:
    yield f"Seed {found['seed']}, {len(found['results'])} scenarios, of which {len(found.get('repeated', {}))} were repeated.\n"
    worst = dict[str, Document]()
    for one in found["results"]:
        worst[one["group"]] = max(worst.get(one["group"], one), one, key=lambda each: each["recovery"])
    yield "| kind | longest time until nothing failed | in |\n|---|---|---|"
    for group, one in sorted(worst.items()):
        yield f"| {group} | {one['recovery']:.1f} s | {one['name']} |"
    yield "\n| fault | seconds until nothing failed | calls | failed | broken invariants |\n|---|---|---|---|---|"
    for one in found["results"]:
        failed, broken = sum(one["failed"].values()), _cell("; ".join(one["violations"])) or "none"
        yield f"| {one['name']} | {one['recovery']:.1f} | {one['operations']} | {failed} | {broken} |"


def _soak(found: Document) -> Iterator[str]:
    yield f"{found['seconds']:.0f} seconds with {len(found['faults'])} faults. The growth of each figure after the first third:\n"
    yield from ("```text", *found["growth"], "```")


def _fuzz(found: Document) -> Iterator[str]:
    yield f"Seed {found['seed']}, {found['seconds']:.0f} seconds: {found['rpcs']} RPCs and {found['requests']} requests."
    yield from (f"- {name}: {_cell(text)}" for name, text in found["wrong"].items() if text)
    for title in ("RPCs by outcome", "requests by status"):
        if title in found:
            yield f"\n| {title} | |\n|---|---|"
            yield from (f"| {target} | {_counts(outcomes)} |" for target, outcomes in found[title].items())


def _fuzz_parsers(found: Document) -> Iterator[str]:
    targets = found["targets"]
    count = sum(one["inputs"] for one in targets.values())
    yield f"Seed {found['seed']}, {count} inputs of {len(targets)} parsers. Lines and branches are"
    yield "those of the functions that inputs reach, modules the lines of whole modules, of which a parser may be a part.\n"
    yield "| parser | guided by coverage | inputs | seconds | lines | branches | modules | faults |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in targets.items():
        figures = " | ".join(f"{one[figure]:.0f} %" for figure in ("lines", "branches", "modules"))
        faults = _cell("; ".join(one["faults"])) or "none"
        guided = "yes" if one["guided"] else "no"
        yield f"| {name} | {guided} | {one['inputs']} | {one['seconds']:.0f} | {figures} | {faults} |"


def _leaks(found: Document) -> Iterator[str]:
    sent, size = sum(found["canaries"].values()), sum(found["places"].values())
    yield f"{sent} secrets of {len(found['canaries'])} kinds passed through {', '.join(found['paths'])}."
    yield f"Then {len(found['places'])} places with {size / 1e6:.0f} MB were searched, in {found['seconds']:.0f} s."
    yield f"Not counted as leaks, since a local run passes them so: {', '.join(found['allowed'])}.\n"
    yield from (f"- **{one['kind']}** in {one['place']}" for one in found["leaks"])
    yield "\n| planted leak | found in |\n|---|---|"
    for one in found["plants"]:
        yield f"| {one['words']} | {', '.join(one['places']) or '**not found**'} |"


def _benches(found: Document) -> Iterator[str]:
    yield f"{len(found)} benches: {', '.join(found)}. The figures are in [performance.md](performance.md)."
    yield from (f"- **broken**: {bound.words} ({figure:.2f})" for bound, figure in _broken(found))


def _broken(found: Document) -> list[tuple[Any, float]]:
    figures = {name: figure for one in found.values() for name, figure in one["figures"].items()}
    return [
        (bound, figures[bound.name])
        for bound in BOUNDS
        if bound.name in figures and not bound.is_kept(figures[bound.name])
    ]


def _counts(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{outcome} {count}" for outcome, count in outcomes.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:160]


def _missed(plants: list[Document], key: str) -> int:
    return sum(one[key] in (None, []) for one in plants)


CHECKS = {
    "simulation": Check("Simulation", "make simulate", lambda one: len(one["failures"]), _simulation),
    "plants": Check(
        "Planted faults of the simulation", "make plants", lambda one: _missed(one["plants"], "seed"), _plants
    ),
    "chaos": Check(
        "Real processes under faults",
        "make chaos",
        lambda one: sum(bool(r["violations"]) for r in one["results"]),
        _chaos,
    ),
    "soak": Check("Half an hour of load and faults", "make soak", lambda one: len(one.get("violations", [])), _soak),
    "fuzz": Check(
        "Generated inputs", "make fuzz", lambda one: sum(bool(text) for text in one["wrong"].values()), _fuzz
    ),
    "fuzz-parsers": Check(
        "Mutated inputs of parsers",
        "make fuzz-parsers",
        lambda one: sum(len(target["faults"]) for target in one["targets"].values()),
        _fuzz_parsers,
    ),
    "leaks": Check(
        "Leaked secrets", "make leaks", lambda one: len(one["leaks"]) + _missed(one["plants"], "places"), _leaks
    ),
    "bench": Check("Measurements", "make bench", lambda one: len(_broken(one)), _benches),
}
