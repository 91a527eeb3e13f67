"""The reason for the failure of a report: the text of its document, if there is one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sellergate_amazon import parsing
from sellergate_common.errors import SellergateError

from sellergate_gateway.documents.download import Head

MOST_BYTES = 16 * 1024
MOST_CHARACTERS = 500


async def read_reason(download: AsyncGenerator[Head | bytes, None]) -> str:
    """Return the beginning of a document as printable text on one line; empty if it cannot be read.

    The report has failed in any case, so that no error of the download is raised.
    """
    body, charset = b"", "utf-8"
    try:
        async with aclosing(download) as parts:
            async for part in parts:
                if isinstance(part, Head):
                    charset = part.charset or charset
                    continue
                body += part[: MOST_BYTES - len(body)]
                if len(body) >= MOST_BYTES:
                    break
    except SellergateError:
        pass
    return parsing.printable(" ".join(_decode(body, charset).split()), MOST_CHARACTERS)


def _decode(body: bytes, charset: str) -> str:
    try:
        return body.decode(parsing.charset_named(charset), errors="replace")
    except parsing.ParseError:
        return body.decode(errors="replace")
