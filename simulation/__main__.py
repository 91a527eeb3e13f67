"""The command line: `python -m simulation --seeds 1000`, or `--seed 7` with its history."""

import argparse
import os
import sys
import time
from dataclasses import asdict

from simulation.many import run_many, show
from simulation.plan import make_plan
from simulation.result import write_result
from simulation.shrink import shrink


def main() -> int:
    """Run the simulation and return the exit status: 0 without a failure, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="make simulate", description="Simulate token, account and gateway under faults."
    )
    parser.add_argument("--seed", type=int, help="run this seed only, and print its history")
    parser.add_argument("--seeds", type=int, default=200, help="run so many seeds (default: 200)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--most-failures", type=int, default=1, help="stop after so many failing seeds (default: 1)")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a smaller plan that fails")
    options = parser.parse_args()
    if options.seed is not None:
        return show(options.seed)
    seeds = range(options.first, options.first + options.seeds)
    began = time.monotonic()
    totals = run_many(seeds, min(options.jobs, options.seeds), options.most_failures)
    found = {"first": options.first, "wanted": options.seeds, "seconds": round(time.monotonic() - began, 1)}
    sizes = {"seeds": totals.seeds, "operations": totals.operations, "faults": totals.faults}
    write_result("simulation", found | sizes | {"failures": [asdict(one) for one in totals.failures]})
    if totals.failures and not options.no_shrink:
        seed = totals.failures[0].seed
        smallest = shrink(make_plan(seed))
        print(f"\nThe smallest plan found of seed {seed}, which `make simulate SEED={seed}` runs as a whole:")
        print(*smallest.lines, sep="\n")
    return int(bool(totals.failures))


if __name__ == "__main__":
    sys.exit(main())
