"""Enforcement of the protos' shape rules (sellergate.common.v1.rules) on every request."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from sellergate.common.v1 import rules_pb2

from sellergate_common.errors import FieldViolation, InvalidRequest

_CONTROL = r"\x00-\x1f\x7f-\x9f"
# Invisible characters, and those that reorder text: soft hyphen, bidi controls, zero-width characters, separators of lines
# and paragraphs, deprecated formatting, annotations, tags. They make different texts look equal, or hide the end of a name.
_INVISIBLE = (
    r"\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
# Persian and the scripts of India cannot be written without them.
_JOINERS = r"\u200c\u200d"
_UNSEEN = re.compile(f"[{_CONTROL}{_INVISIBLE}{_JOINERS}]")
_UNSEEN_BUT_JOINERS = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
_Check = Callable[[Any], str | None]
_MAX_SHOWN = 50


def validate(message: Message) -> None:
    """Raise InvalidRequest that names every field of `message` that breaks its rules."""
    found: list[FieldViolation] = []
    for violation in _violations(message, ""):
        found.append(violation)
        if len(found) == _MAX_SHOWN:
            break
    if found:
        words = "; ".join(f"{violation.field}: {violation.description}" for violation in found)
        raise InvalidRequest(words, violations=found)


def _violations(message: Message, path: str) -> Iterator[FieldViolation]:
    for field in _plan(message.DESCRIPTOR):
        # A submessage is read only if it is present, because reading creates it.
        value = getattr(message, field.name) if not field.has_presence or message.HasField(field.name) else None
        if value is None or not (value or field.has_presence or field.zero_is_set):
            if field.required:
                yield FieldViolation(path + field.name, "must be set")
            continue
        name = path + field.name
        for check in field.whole_checks:
            if fault := check(value):
                yield FieldViolation(name, fault)
        if field.item_checks:
            yield from field.faults_of_items(name, value)
        if field.looked_into:
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from _violations(item, f"{name}[{index}].")
            else:
                yield from _violations(value, name + ".")


def _is_looked_into(field: FieldDescriptor) -> bool:
    if field.message_type is None or field.message_type.GetOptions().map_entry or _rules(field).checked_by_service:
        return False
    return bool(field.message_type.file.package.startswith("sellergate."))


@dataclass(frozen=True, slots=True)
class _Field:
    """The compiled rules of a field: checks on its whole value, and on each item of a repeated string."""

    name: str
    required: bool
    has_presence: bool
    zero_is_set: bool
    is_repeated: bool
    looked_into: bool
    whole_checks: tuple[_Check, ...]
    item_checks: tuple[_Check, ...]

    def faults_of_items(self, name: str, items: Iterable[Any]) -> Iterator[FieldViolation]:
        """Yield the faults of the items, each of which names its index."""
        for index, item in enumerate(items):
            for check in self.item_checks:
                if fault := check(item):
                    yield FieldViolation(f"{name}[{index}]", fault)

    @classmethod
    def of(cls, field: FieldDescriptor) -> "_Field":
        rules = _rules(field)
        is_text = field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        return cls(
            name=field.name,
            required=rules.required,
            has_presence=field.has_presence,
            zero_is_set=not (field.is_repeated or is_text or rules.required),
            is_repeated=field.is_repeated,
            looked_into=_is_looked_into(field),
            whole_checks=tuple(_checks(field, rules)),
            item_checks=tuple(_item_checks(field, rules)),
        )


@cache
def _plan(descriptor: Descriptor) -> tuple[_Field, ...]:
    """Compile the rules of a message: the fields to check, and the checks on each."""
    fields = map(_Field.of, descriptor.fields)
    return tuple(
        field for field in fields if field.required or field.whole_checks or field.item_checks or field.looked_into
    )


@cache
def _rules(field: FieldDescriptor) -> rules_pb2.FieldRules:
    return field.GetOptions().Extensions[rules_pb2.rules]


def _checks(field: FieldDescriptor, rules: rules_pb2.FieldRules) -> Iterator[_Check]:
    if rules.max_items:
        limit = rules.max_items
        yield lambda value: f"has {len(value)} items; at most {limit} are allowed" if len(value) > limit else None
    if rules.max_bytes:
        yield _max_bytes(rules.max_bytes)
    if _is_limited_text(field, rules) and not field.is_repeated:
        yield _text_check(rules)
    if rules.minimum or rules.maximum:
        low, high = rules.minimum, rules.maximum
        yield lambda value: None if low <= value <= high else f"must be from {low} to {high}"


def _item_checks(field: FieldDescriptor, rules: rules_pb2.FieldRules) -> Iterator[_Check]:
    if _is_limited_text(field, rules) and field.is_repeated:
        yield _text_check(rules)


def _is_limited_text(field: FieldDescriptor, rules: rules_pb2.FieldRules) -> bool:
    return bool(field.type == FieldDescriptor.TYPE_STRING and (rules.max_length or rules.pattern))


def _max_bytes(limit: int) -> _Check:
    return lambda value: f"has {len(value)} bytes; at most {limit} are allowed" if len(value) > limit else None


def _text_check(rules: rules_pb2.FieldRules) -> _Check:
    pattern = re.compile(rules.pattern, re.ASCII) if rules.pattern else None
    unseen = _UNSEEN_BUT_JOINERS if rules.allow_joiners else _UNSEEN

    def check(value: str) -> str | None:
        if rules.max_length and len(value) > rules.max_length:
            return f"has {len(value)} characters; at most {rules.max_length} are allowed"
        if not rules.allow_control and unseen.search(value):
            return "must not contain control or invisible formatting characters"
        if rules.printable and not value.isprintable():
            return "must not contain characters that are not printable"
        if pattern and not pattern.fullmatch(value):
            return f"must be {rules.pattern_hint}"
        return None

    return check
