"""The places of an error reason: the contract, its rule, the page of errors and a test."""

import re
from collections.abc import Iterator

from scripts.places.tree import Tree, sentence, table

HEADING = "Add an error reason"
PROTO = "protos/sellergate/common/v1/error_reason.proto"
ERRORS = "libs/common/sellergate_common/errors.py"
PAGE = "docs/errors.md"
_CODE = ("libs/**/*.py", "services/**/*.py")


def missing(tree: Tree) -> Iterator[str]:
    """Yield a sentence for each place that lacks a reason."""
    errors = tree.text(ERRORS)
    known = {
        PROTO: set(re.findall(r"^  ERROR_REASON_(\w+) = ", tree.text(PROTO), re.MULTILINE)) - {"UNSPECIFIED"},
        f"{ERRORS} (Reason)": set(re.findall(r'^    (\w+) = "\1"$', _body(errors, "class Reason("), re.MULTILINE)),
        f"{ERRORS} (RULES)": set(re.findall(r"^    Reason\.(\w+): Rule\(", errors, re.MULTILINE)),
        PAGE: set(table(tree.text(PAGE), "[A-Z_]+")),
    }
    named = set.union(*known.values())
    for place, reasons in known.items():
        for reason in sorted(named - reasons):
            yield sentence(place, f"does not have {reason}", HEADING)
    used = set(re.findall(r"Reason\.(\w+)", errors.partition("RULES:")[0]))
    for file in tree.files(*_CODE):
        if tree.path(file) != ERRORS:
            used |= set(re.findall(r"Reason\.([A-Z_]+)", file.read_text(encoding="utf-8")))
    tested = tree.words_of_tests()
    for reason in sorted(named):
        if reason not in used:
            yield sentence("services/", f"raises no error with {reason}", HEADING)
        if reason not in tested:
            yield sentence("tests/", f"has no test that expects {reason}", HEADING)


def _body(text: str, begin: str) -> str:
    """Return the text between a line that begins so and the next line that is not indented."""
    return re.split(r"^(?=[^\s])", text.partition(begin)[2].partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
