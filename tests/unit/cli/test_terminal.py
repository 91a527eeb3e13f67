"""Untrusted text on an operator's terminal."""

import io
import json
import sys

import pytest
from sellergate.gateway.v1 import call_pb2, capture_service_pb2
from sellergate_cli.commands import capture
from sellergate_cli.output import print_fields, print_json, print_rows
from sellergate_cli.terminal import harmless, json_line, json_text_line, say, use_escapes

# Renames the window, erases the screen, ends the line, and reverses the writing direction; \x9b by itself begins a sequence.
ATTACK = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\nFAKE line\u202e\u2066\x7f\x00"
FORBIDDEN = [one for one in ATTACK if not one.isprintable()]


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert not [one for line in lines for one in line if not one.isprintable()]
    return lines


def test_one_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert not [one for one in FORBIDDEN if one in harmless(ATTACK)]
    assert harmless("Grüße, 你好, \u0646\u0645\u06cc\u200c\u062e") == "Grüße, 你好, \u0646\u0645\u06cc\u200c\u062e"
    say(f"name {harmless(ATTACK)}")
    say("two\nlines")
    assert [line[:4] for line in lines_of(capsys)] == ["name", "two", "line"]


def test_json_means_the_same_and_holds_nothing_that_moves_a_cursor() -> None:
    document = {"a": ATTACK, ATTACK: ["\U000e0041", "é", "\ud800"]}
    assert json_line(document).isprintable()
    assert json.loads(json_line(document)) == document


def test_json_of_amazons_keeps_its_numbers_and_escapes() -> None:
    text = '{ "a" : [12.10, 12345678901234567.89,\r\n 1e400],\n "b  c": "\\ud83d \\" x" }'
    assert json_text_line(text) == '{"a":[12.10,12345678901234567.89,1e400],"b  c":"\\ud83d \\" x"}'


def test_an_output_of_few_characters_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", output)
    use_escapes()
    say("Grüße \U0001f600")
    say(json_line({"a": "ü\U0001f600"}))
    output.flush()
    first, second = output.buffer.getvalue().decode("cp1252").splitlines()  # type: ignore[attr-defined]
    assert first == "Grüße \\U0001f600"
    assert second == '{"a": "ü\\ud83d\\ude00"}'


def test_rows_fields_and_documents(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"name": ATTACK, "ids": [ATTACK]}], ("name", "ids"), as_json=False)
    print_rows([{"name": ATTACK}], ("name",), as_json=True)
    print_fields({"name": ATTACK}, as_json=False)
    print_json({"name": ATTACK})
    assert len([line for line in lines_of(capsys) if "FAKE" in line]) == 4


def test_a_captured_call(capsys: pytest.CaptureFixture[str]) -> None:
    header = call_pb2.Header(name="x-amzn-requestid", value=ATTACK)
    exchange = capture_service_pb2.CapturedExchange(
        method="GET",
        path="/x",
        query_names=[ATTACK],
        request_headers=[header],
        request_body=ATTACK,
        response_headers=[header],
        response_body=ATTACK,
        failure=ATTACK,
        request_id="r",
    )
    capture._print(exchange)
    assert len(lines_of(capsys)) == 5


def test_every_module_prints_through_it() -> None:
    """Only one module uses `typer.echo`, `print` and standard output, except for bytes that go into a pipe."""
    package = sys.modules["sellergate_cli"].__path__[0]
    assert package
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(__import__("pathlib").Path(package).rglob("*.py"))
        for line in io.StringIO(path.read_text())
        if any(word in line for word in ("typer.echo(", "secho(", "sys.stderr.write", " print("))
        and path.name != "terminal.py"
    ]
    assert not found
