"""Canaries: secrets of one run that are found again in whatever form a leak gives them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tests.e2e import hunt

# Of a secret in base64, the first and last letters depend on its neighbours.
_CUT = 4


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret by the name of its kind."""

    kind: str
    value: str

    def forms(self) -> Iterator[bytes]:
        """Yield the secret as text, in JSON, in a URL, as hex digits and in base64, at each of three offsets."""
        raw = self.value.encode()
        yield from {raw, json.dumps(self.value)[1:-1].encode(), quote(self.value, safe="").encode(), raw.hex().encode()}
        for offset in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                yield encode(b"x" * offset + raw).rstrip(b"=")[_CUT:-_CUT]


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A secret in a place. Only its kind and its first letters are kept, so that a report leaks nothing."""

    place: str
    kind: str
    begins: str


def search(places: dict[str, bytes], canaries: list[Canary]) -> list[Leak]:
    """Return each canary that is in a place in any form, and each text that has the shape of a token or key."""
    forms = [(canary, form) for canary in canaries for form in set(canary.forms())]
    found = {
        Leak(place, one.kind, one.value[:8]) for place, text in places.items() for one, form in forms if form in text
    }
    shapes = {Leak(place, "a token or key by its shape", text.decode()[:8]) for place, text in hunt.find(places, [])}
    return sorted(found | shapes)
