"""Generated messages of any type by its descriptor, so that new RPCs and fields are covered."""

import random
from collections import defaultdict
from collections.abc import Iterable

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from sellergate.common.v1 import rules_pb2

from tests.fuzz import values

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_SECONDS = (0, 1, 5, 30, -1, 1_700_000_000, 4_102_444_800, 253_402_300_799, 253_402_300_800, -62_135_596_801, 2**63 - 1)
_NANOS = (0, 0, 0, 1, 999_999_999, 1_000_000_000, -1, 2**31 - 1)
_MOST_DEPTH = 6
_KEPT = 40


class Known:
    """Known texts by the name of their field, from the setup and from responses: IDs, page tokens, etags."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = defaultdict(list)

    def add(self, name: str, *texts: str) -> None:
        """Add texts of a field; only the newest are kept."""
        for text in filter(None, texts):
            self._texts[name].append(text)
        del self._texts[name][: max(0, len(self._texts[name]) - _KEPT)]

    def replace(self, name: str, texts: Iterable[str]) -> None:
        """Replace the texts of a field."""
        self._texts[name] = list(texts)

    def learn(self, message: Message) -> None:
        """Add the texts of a response; a next page token is added under the name of the request's field."""
        for field, value in message.ListFields():
            for item in list(value)[:3] if field.is_repeated and not _is_map(field) else [value]:
                if isinstance(item, Message):
                    self.learn(item)
                elif isinstance(item, str) and len(item) <= 2048:
                    self.add(field.name.removeprefix("next_"), item)

    def pick(self, name: str, rng: random.Random) -> str:
        """Return a known text of a field, or an empty text."""
        texts = self._texts.get(name)
        return rng.choice(texts) if texts else ""


class Generator:
    """A generator of messages. `rng` makes every choice, so that a seed repeats a run."""

    def __init__(self, rng: random.Random, known: Known) -> None:
        self._rng = rng
        self._known = known
        self._hostility = 0.0

    def message(self, descriptor: Descriptor) -> Message:
        """Return a message of a type, from entirely valid to entirely hostile."""
        self._hostility = self._rng.choice((0.0, 0.0, 0.05, 0.2, 0.6))
        return self._filled(descriptor, 0)

    def _filled(self, descriptor: Descriptor, depth: int) -> Message:
        message = message_factory.GetMessageClass(descriptor)()
        if descriptor.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            self._set_time(message)
            return message
        for field in descriptor.fields:
            if self._rng.random() < self._share(field, depth):
                self._set(message, field, depth)
        return message

    def _share(self, field: FieldDescriptor, depth: int) -> float:
        """Return the probability with which a field is set."""
        if depth >= _MOST_DEPTH:
            return 0.0
        if _rules(field).required:
            return 0.98 - self._hostility / 4
        return 0.8 if field.name == "account_id" else 0.4

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        rng = self._rng
        if not field.is_repeated:
            if field.message_type:
                getattr(message, field.name).MergeFrom(self._filled(field.message_type, depth + 1))
            else:
                setattr(message, field.name, self._scalar(field))
            return
        count = rng.choice((1, 1, 2, 3))
        if rng.random() < self._hostility:
            # Long lists within long lists would be gigabytes.
            count = rng.choice((0, _rules(field).max_items + 1, 100, 600) if depth == 0 else (0, 3))
        if _is_map(field):
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            for _ in range(min(count, 300)):
                held = getattr(message, field.name)
                if value.message_type:
                    held[self._scalar(key)].MergeFrom(self._filled(value.message_type, depth + 1))
                else:
                    held[self._scalar(key)] = self._scalar(value)
        elif field.message_type:
            items = [self._filled(field.message_type, depth + 1) for _ in range(min(count, 3))]
            getattr(message, field.name).extend([rng.choice(items) for _ in range(count)] if items else [])
        else:
            getattr(message, field.name).extend(self._scalar(field) for _ in range(count))

    def _scalar(self, field: FieldDescriptor) -> object:
        rng, rules, kind = self._rng, _rules(field), field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return self._bytes(rules)
            return self._text(field.name, rules)
        if kind in _RANGES:
            if rng.random() >= self._hostility:
                least, most = (rules.minimum, rules.maximum) if rules.maximum else _RANGES[kind]
                return min(max(rng.choice((0, 1, 2, 10)), least), most)
            return values.number(rng, *_RANGES[kind], rules.minimum, rules.maximum)
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            numbers = [value.number for value in field.enum_type.values]
            return rng.choice([*numbers, 99, -1, 2**31 - 1] if rng.random() < self._hostility else numbers)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return rng.random() < 0.5
        return rng.choice((0.0, -0.0, 1.5, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")))

    def _text(self, name: str, rules: rules_pb2.FieldRules) -> str:
        rng = self._rng
        if rng.random() < self._hostility:
            if rules.max_length and rng.random() < 0.3:
                return rng.choice("aé\U0001f600") * (rules.max_length + rng.choice((-1, 0, 1)))
            return values.hostile(rng)
        known = self._known.pick(name, rng)
        if known and rng.random() < 0.85:
            return known
        if rules.pattern:
            return values.matching(rules.pattern, rng)
        return known or rng.choice(("a", "name", "x" * 20, "ATVPDKIKX0DER", "US", "/", "application/json"))

    def _bytes(self, rules: rules_pb2.FieldRules) -> bytes:
        if self._rng.random() < self._hostility / 50:
            return b"x" * (min(rules.max_bytes, 1024 * 1024) + 1)
        return values.body(self._rng)

    def _set_time(self, message: Message) -> None:
        odd = self._rng.random() < max(self._hostility, 0.1)
        message.seconds = self._rng.choice(_SECONDS if odd else _SECONDS[:4])  # type: ignore[attr-defined]
        message.nanos = self._rng.choice(_NANOS if odd else (0,))  # type: ignore[attr-defined]


def _rules(field: FieldDescriptor) -> rules_pb2.FieldRules:
    rules: rules_pb2.FieldRules = field.GetOptions().Extensions[rules_pb2.rules]
    return rules


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)
