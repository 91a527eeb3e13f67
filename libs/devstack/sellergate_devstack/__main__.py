"""`make run`: starts the whole suite on this machine, runs the demo once, and keeps the suite running."""

import asyncio
import errno
import signal
import sys

from sellergate_common.observability.logs import configure_logging
from sellergate_common.settings import load_settings

from sellergate_devstack.demo import DemoFailed, run_demo
from sellergate_devstack.prepare import prepare
from sellergate_devstack.processes.supervisor import PortTaken, ProcessDied
from sellergate_devstack.report import remove_report, report_addresses, write_report
from sellergate_devstack.servers.redis import NoRedis
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import StateInUse
from sellergate_devstack.suite import Suite, running_suite

FAILED = 1
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CONNECTED = "The seller is connected; the step above shows what these servers refuse."
_NOT_CONNECTED = "Set SELLERGATE_DEMO_… to credentials that they accept."


def main() -> None:
    """Run until Ctrl-C (exit code 0) or until a failure (exit code 1)."""
    settings = load_settings(DevstackSettings)
    configure_logging("devstack", "warning")
    raise SystemExit(asyncio.run(_run(settings)))


async def _run(settings: DevstackSettings) -> int:
    running = asyncio.current_task()
    assert running is not None  # noqa: S101
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        _report("Sellergate starts:")
        async with running_suite(settings, _report) as suite:
            try:
                return await _stay_up(suite)
            finally:
                remove_report(suite)
    except asyncio.CancelledError:
        _report("Sellergate has ended.")
        return 0
    except (StateInUse, PortTaken, ProcessDied, TimeoutError, ValueError, NoRedis) as error:
        _report(f"\n{error}")
        return FAILED
    except OSError as error:
        _report(f"\n{sentence_of(error, settings)}")
        return FAILED


def sentence_of(error: OSError, settings: DevstackSettings) -> str:
    """Return what the operating system refused, and what the operator can do."""
    if error.errno in _FULL:
        cause = "The disk is full: free some space"
    else:
        cause = f"{error.filename or settings.folder}: {error.strerror or error}. Make it writable for this user"
    return f"{cause}, or set SELLERGATE_STATE_DIR to another folder."


async def _stay_up(suite: Suite) -> int:
    """Run the demo, and wait until a process dies. Return only when the demo failed; raise ProcessDied."""
    _report("\nThe main job:")
    account_id = ""
    try:
        account_id = await run_demo(suite, _report)
    except DemoFailed as error:
        _report(f"  failed: {error}")
        if suite.simulator:
            return FAILED
        account_id = error.account_id
        _report(
            f"  The servers are not the simulator, so the suite stays up. {_CONNECTED if account_id else _NOT_CONNECTED}"
        )
    write_report(suite, account_id, await prepare(suite, account_id) if account_id else None)
    report_addresses(suite, account_id, _report)
    await suite.supervisor.watch()
    return 0


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
