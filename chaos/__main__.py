"""The command line: `python -m chaos [--faults 8] [--seed 1] [--resume] [WORD...]`."""

import argparse
import asyncio
import sys

from sellergate_devstack.servers.redis import NoRedis

from chaos import report
from chaos.faults import scenarios
from chaos.run import choose, run
from chaos.scenario import Result


def main() -> int:
    """Run scenarios; return 0 if no invariant broke, 1 otherwise, 2 for a wrong argument or a missing server."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Run real processes under load and faults.")
    parser.add_argument("words", nargs="*", help="run the scenarios whose names hold one of these words")
    parser.add_argument(
        "--faults", type=int, default=0, help="run so many single faults, chosen by the seed (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the load and of the choice (default: 1)")
    parser.add_argument("--resume", action="store_true", help="keep earlier results that broke no invariant")
    parser.add_argument("--list", action="store_true", help="print the names of all scenarios")
    options = parser.parse_args()
    if options.list:
        print(*(one.name for one in scenarios()), sep="\n")
        return 0
    written = report.Document.read(options.seed) if options.resume else report.Document(options.seed)
    try:
        chosen = choose(options.words, options.faults, options.seed)
        print(report.heading(), flush=True)
        left = [one for one in chosen if not written.is_good(one.name)]
        asyncio.run(run(left, options.seed, lambda result: _show(result, written)))
    except (ValueError, FileNotFoundError, NoRedis) as error:
        print(f"NOT RUN: {error}", file=sys.stderr)
        return 2
    results = list(written.results.values())
    report.print_summary(results)
    return int(any(result.violations for result in results))


def _show(result: Result, written: report.Document) -> None:
    """Print a result and write all, so that a run that is interrupted keeps what it showed."""
    written.add(result)
    written.write()
    print(report.line_of(result), flush=True)
    for words in result.violations:
        print(f"    {words:.400}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
