"""The position in a document that is read by ranges (RFC 9110 §14): the next range, and the check of responses."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from sellergate_amazon import parsing

from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse
from sellergate_gateway.spapi.http import Headers

_OK, _PARTIAL, _NOT_FOUND, _TIMEOUT, _RANGE, _THROTTLED = 200, 206, 404, 408, 416, 429
# S3 refuses an expired address with 403, and one whose session has expired with 400 (ExpiredToken).
_ADDRESS_REFUSED = frozenset({400, 401, 403})
_RANGE_OF = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)")


class Verdict(Enum):
    """The use of a response."""

    CONTENT = auto()
    COMPLETE = auto()
    ADDRESS_REFUSED = auto()
    NOT_FOUND = auto()
    CHANGED = auto()
    REFUSED = auto()


@dataclass(slots=True)
class Position:
    """The position in a document. `done` and `total` are in bytes as transferred; total 0: unknown."""

    done: int = 0
    total: int = 0
    etag: str = ""
    begun: bool = False
    skip: int = 0
    """The bytes at the beginning of the current response that were read before."""
    _wants_whole: bool = False

    def headers(self) -> Headers:
        """Return the headers that request the missing range, or the whole document if ranges cannot be trusted."""
        whole, self._wants_whole = self._wants_whole or not self.etag or not self.done, False
        return () if whole else (("range", f"bytes={self.done}-"), ("if-range", self.etag))

    def judge(self, response: DocumentResponse) -> Verdict:
        """Return the use of a response, and set `skip`. Raises ConnectionBroken if another attempt may succeed."""
        status = response.status
        if status in (_TIMEOUT, _THROTTLED) or status >= 500:  # noqa: PLR2004  (the class of server errors)
            pause = parsing.retry_after(response.header("retry-after"), response.header("date"))
            raise ConnectionBroken(f"HTTP {status}", retry_after=pause or 0.0)
        if status in (_OK, _PARTIAL):
            return self._judge_content(response)
        if status == _RANGE:
            return self._judge_range_error(response)
        if status in _ADDRESS_REFUSED:
            return Verdict.ADDRESS_REFUSED
        return Verdict.NOT_FOUND if status == _NOT_FOUND else Verdict.REFUSED

    def check_end(self) -> None:
        """Raise ConnectionBroken if a body ended before the document's end."""
        if self.total and self.done < self.total:
            raise ConnectionBroken(f"it ended after {self.done} of {self.total} bytes")

    def _judge_content(self, response: DocumentResponse) -> Verdict:
        start, total = 0, _number(response.header("content-length"))
        if response.status == _PARTIAL:
            start, total = self._range_of(response)
        etag = response.header("etag")
        if self.begun and (etag != self.etag or (self.total and total and total != self.total)):
            return Verdict.CHANGED
        self.etag, self.begun, self.total = etag, True, self.total or total
        self.skip = self.done - start
        return Verdict.CONTENT

    def _range_of(self, response: DocumentResponse) -> tuple[int, int]:
        """Return the start of a part and the length of the document. Raises ConnectionBroken for a part that does not follow."""
        found = _RANGE_OF.fullmatch(response.header("content-range"))
        start = _number(found[1] or "") if found and found[1] else self.done + 1
        total = _number(found[2]) if found else 0
        if start > self.done or (self.total and total and total != self.total):
            self._wants_whole = True
            raise ConnectionBroken("its range is not the one that was requested")
        return start, total

    def _judge_range_error(self, response: DocumentResponse) -> Verdict:
        found = _RANGE_OF.fullmatch(response.header("content-range"))
        total = self.total or (_number(found[2]) if found else 0)
        if self.done and total == self.done:
            return Verdict.COMPLETE
        self._wants_whole = True
        raise ConnectionBroken("its store refuses the range")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0  # noqa: PLR2004  (fits 64 bits)
