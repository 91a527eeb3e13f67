"""Write the catalogue of operations from the compiled facts: `make_operations.py SOURCE [TARGET]`.

SOURCE is a JSON array with one object per operation, as compiled from Amazon's models. The same source gives
the same bytes. TARGET defaults to the catalogue of `sellergate_amazon`.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parents[1] / "libs" / "amazon" / "sellergate_amazon" / "operations.json"

KEPT = (
    "restricted",
    "restricted_data_elements",
    "restricted_basis",
    "grantless_scope",
    "deprecated",
    "paginated_by",
    "next_token_path",
    "sandbox",
    "sandbox_only",
    "success_status",
    "envelope",
)


def main() -> None:
    """Read the arguments, write the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, nargs="?", default=CATALOGUE)
    arguments = parser.parse_args()
    rows = catalogue_rows(json.loads(arguments.source.read_text("utf-8")))
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    arguments.target.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"{len(rows)} operations")


def catalogue_rows(source: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows in the order of their names, each with a name of its own.

    The model's `rate` and `burst` count; where it is silent, those of Amazon's own SDK do. Which of the two it was
    stands in `rate_source`, null where neither says anything.
    """
    plain = Counter(_plain_name(row) for row in source)
    rows = []
    for row in source:
        name = _plain_name(row)
        # Shipping v2 has linkCarrierAccount twice, as POST and as PUT.
        unique = f"{name}:{row['method']}" if plain[name] > 1 else name
        rate, burst, rate_source = row["rate"], row["burst"], "model"
        if rate is None:
            rate, burst, rate_source = row.get("rate_sdk"), row.get("burst_sdk"), "sdk"
        rows.append(
            {
                "name": unique,
                **{key: row[key] for key in ("api", "version", "operation_id", "method", "path")},
                "rate": rate,
                "burst": burst,
                "rate_source": None if rate is None else rate_source,
                **{key: row.get(key) for key in KEPT},
            }
        )
    return sorted(rows, key=lambda row: str(row["name"]))


def _plain_name(row: dict[str, Any]) -> str:
    return f"{row['api']}/{row['version']}/{row['operation_id']}"


if __name__ == "__main__":
    main()
