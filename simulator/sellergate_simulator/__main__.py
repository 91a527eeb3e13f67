"""Starts the simulator: settings, seed, handlers, server."""

import asyncio
from pathlib import Path
from random import Random

from pydantic import ValidationError
from sellergate_amazon.operations import Catalogue

from sellergate_simulator.assembly import assemble
from sellergate_simulator.clock import Clock
from sellergate_simulator.http.server import event_loop_factory, log_to_stderr, serve
from sellergate_simulator.seed import Seed, sentence
from sellergate_simulator.settings import Settings


def main() -> None:
    """Run until SIGTERM or SIGINT. An invalid setting, seed or port ends the start with one sentence."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SystemExit(f"Correct the settings SELLERGATE_SIMULATOR_…: {sentence(error)}") from None
    log_to_stderr(settings.log_level)
    ports: dict[str, int] = {}
    try:
        catalogue, dice = Catalogue.read(settings.catalogue), Random()  # noqa: S311  (chance of faults)
        handlers = assemble(read_seed(settings.seed_file), Clock(), dice, ports, catalogue, settings.documents_url)
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            runner.run(serve(handlers, settings.host, settings.ports(), ports))
    except (OSError, ValueError) as error:
        raise SystemExit(f"The simulator did not start: {error}") from None


def read_seed(path: Path | None) -> Seed:
    """Return the seed of a file; without a file, an empty one.

    Raises OSError for an unreadable file, and ValueError, which repeats no value of the file, for an invalid seed.
    """
    if path is None:
        return Seed()
    try:
        return Seed.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: {sentence(error)}") from None


if __name__ == "__main__":
    main()
