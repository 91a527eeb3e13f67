"""Conversion of times and durations between seconds, datetimes and protobuf messages."""

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from sellergate_common.errors import InvalidRequest

_NANOS = 1_000_000_000
_OUTSIDE = "must be a time between the years 1 and 9999"


def to_timestamp(seconds: float) -> Timestamp:
    """Return a time in seconds since the epoch as a message, truncated to milliseconds."""
    stamp = Timestamp()
    set_timestamp(stamp, seconds)
    return stamp


def set_timestamp(stamp: Timestamp, seconds: float) -> None:
    """Set a message to a time, as `to_timestamp` does; a field that is set in place is not copied."""
    stamp.seconds, milliseconds = divmod(int(seconds * 1000), 1000)
    stamp.nanos = milliseconds * 1_000_000


def to_duration(seconds: float) -> Duration:
    """Return a duration in seconds as a message, to the nanosecond; a negative one becomes zero."""
    duration = Duration()
    set_duration(duration, seconds)
    return duration


def set_duration(duration: Duration, seconds: float) -> None:
    """Set a message to a duration, as `to_duration` does; a field that is set in place is present also where it is zero."""
    duration.SetInParent()
    duration.seconds, duration.nanos = divmod(round(max(0.0, seconds) * _NANOS), _NANOS)


def from_datetime(time: datetime | None, field: str = "time") -> Timestamp | None:
    """Return a time as a message; None leaves the field absent.

    Raises InvalidRequest that names the field for a time whose offset moves it out of the calendar.
    """
    if time is None:
        return None
    stamp = Timestamp()
    try:
        stamp.FromDatetime(time)
    except OverflowError as error:
        raise InvalidRequest.of_field(field, _OUTSIDE) from error
    return stamp


def read_time(message: Message, field: str, path: str = "") -> datetime | None:
    """Return the time in a field, in UTC; None where it is absent. `path` is the path of the message in the request.

    Raises InvalidRequest that names the field for a time outside the calendar.
    """
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest.of_field(path + field, _OUTSIDE) from error
