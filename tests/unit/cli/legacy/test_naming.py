"""The choice of the table and its columns, and the errors for missing ones."""

import pytest
from sellergate_cli.legacy.naming import choose_table, match_columns, parse_columns, snake
from sellergate_cli.legacy.rows import COLUMNS
from sellergate_cli.operator import SentenceError

SNAKE = [snake(name) for name in COLUMNS]


def test_names_of_prisma_and_mapped_ones_are_recognised() -> None:
    assert snake("lwaClientId") == "lwa_client_id"
    assert match_columns("t", COLUMNS, {}) == {name: name for name in COLUMNS}
    assert match_columns("t", SNAKE, {}) == dict(zip(COLUMNS, SNAKE, strict=True))
    mixed = [*SNAKE[:5], *COLUMNS[5:], "extra"]
    assert list(match_columns("t", mixed, {}).values()) == mixed[:-1]
    for name in ("AmazonAccount", "amazon_accounts"):
        assert choose_table(["User", name], None) == name


def test_an_operator_names_tables_and_columns_with_other_names() -> None:
    there = [*SNAKE[2:], "key=1", "owner"]
    given = parse_columns(["key=1=id", "owner=user_id"])
    assert given == {"id": "key=1", "userId": "owner"}
    assert match_columns("t", there, given)["id"] == "key=1"
    assert choose_table(["Sellers", "AmazonAccount"], "Sellers") == "Sellers"


@pytest.mark.parametrize("given", [["userId"], ["=userId"], ["a=nothing"], ["a=userId", "b=user_id"], ["a="]])
def test_a_pair_that_names_no_column_is_refused(given: list[str]) -> None:
    with pytest.raises(ValueError, match=r"FORMER=COLUMN|given twice"):
        parse_columns(given)


def test_a_missing_table_or_column_is_named_with_what_to_do() -> None:
    with pytest.raises(
        SentenceError, match=r"lacks the columns isActive, userId; .*--column FORMER=isActive"
    ) as missing:
        match_columns("t", set(SNAKE) - {"user_id", "is_active"}, {})
    assert "--table" in str(missing.value)
    with pytest.raises(SentenceError, match="has no column owner, which --column names"):
        match_columns("t", COLUMNS, {"userId": "owner"})
    with pytest.raises(SentenceError, match=r'no table "AmazonAccount" or "amazon_accounts".*--table'):
        choose_table(["User"], None)
    with pytest.raises(SentenceError, match='no table "Sellers"'):
        choose_table(["AmazonAccount"], "Sellers")
    with pytest.raises(SentenceError, match="name the one to import with --table"):
        choose_table(["AmazonAccount", "amazon_accounts"], None)
