"""The call that is being served: its caller, its request id and its deadline."""

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from random import getrandbits

# Keys of the metadata that every call carries.
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"
# Each hop reserves this much of the caller's time, so that its response arrives before the caller's deadline.
HOP_SECONDS = 0.020


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: the certificate's identity ("edge", "client/billing"), and the user it acts for (empty: none)."""

    identity: str
    on_behalf_of: str = ""


NO_CALLER = Caller("")
_ACCOUNT_ID_SHAPE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEPARENT_SHAPE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class CallContext:
    """One call. `deadline` is in seconds of the monotonic clock; `reason` is set when the call fails."""

    method: str
    request_id: str
    traceparent: str = ""
    caller: Caller = NO_CALLER
    deadline: float | None = None
    reason: str = ""
    account_id: str = ""
    operation: str = ""
    """SP-API's operation as the catalogue names it. Account and operation are empty until known, and then in each log line."""
    started: float = field(default_factory=time.monotonic)


def trace_context(given: str) -> str:
    """Return a caller's traceparent if it is well-formed, else an empty text; calls pass it on, and carry only ASCII."""
    return given if _TRACEPARENT_SHAPE.fullmatch(given) else ""


def trace_id(call: CallContext) -> str:
    """Return the ID of the call's trace (W3C trace context); empty when there is none."""
    found = _TRACEPARENT_SHAPE.fullmatch(call.traceparent)
    return found[1] if found else ""


def new_request_id() -> str:
    """Return a unique request ID."""
    return f"{getrandbits(128):032x}"


_CURRENT: ContextVar[CallContext | None] = ContextVar("sellergate_call", default=None)


def current_call() -> CallContext | None:
    """Return the call being served in this task, or None outside of one."""
    return _CURRENT.get()


def current_caller() -> Caller:
    """Return the caller; NO_CALLER outside of a call."""
    call = _CURRENT.get()
    return call.caller if call else NO_CALLER


class use_context:  # noqa: N801  (used like a function; a generator would cost every call more)
    """Make `call` the current one while the body runs."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: CallContext) -> None:
        self._call = call

    def __enter__(self) -> CallContext:
        """Begin."""
        self._token = _CURRENT.set(self._call)
        return self._call

    def __exit__(self, *_: object) -> None:
        """End."""
        _CURRENT.reset(self._token)


def bind(account_id: str = "", operation: str = "") -> None:
    """Set the account and operation that log lines of the current call name. Both are verified; see `bind_named` for others."""
    call = _CURRENT.get()
    if call is not None:
        call.account_id = account_id or call.account_id
        call.operation = operation or call.operation


def bind_named(account_id: str) -> None:
    """Set the account that the caller names, if it has the shape of Sellergate's IDs, which no secret has."""
    if account_id and _ACCOUNT_ID_SHAPE.fullmatch(account_id):
        bind(account_id)


def detached() -> AbstractContextManager[CallContext | None]:
    """Make a copy of the current call the current one while the body runs, so that what the body binds stays in the copy."""
    call = _CURRENT.get()
    return use_context(replace(call)) if call else nullcontext()


def deadline_in(seconds: float) -> float:
    """Return the deadline that is `seconds` from now."""
    return time.monotonic() + seconds


def time_left(default: float) -> float:
    """Return the seconds until the current call's deadline, or `default` where there is none; never below zero."""
    call = _CURRENT.get()
    if call is None or call.deadline is None:
        return default
    return max(0.0, call.deadline - time.monotonic())


def until_deadline(default: float) -> Callable[[], float]:
    """Return a function that returns the seconds until the current call's deadline, or until `default` seconds from now."""
    deadline = deadline_in(time_left(default))
    return lambda: max(0.0, deadline - time.monotonic())


def call_age() -> float:
    """Return the seconds since the current call arrived; 0 outside of a call."""
    call = _CURRENT.get()
    return 0.0 if call is None else time.monotonic() - call.started
