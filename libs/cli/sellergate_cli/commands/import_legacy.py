"""`sellergate import-legacy`: imports the accounts of the former monolith after a dry run that reports each row's outcome."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from sellergate_cli.operator import StateDir, admin_service, complete, fail
from sellergate_cli.options import examples
from sellergate_cli.terminal import harmless, say

if TYPE_CHECKING:
    from sellergate_cli.legacy.notes import Tally
    from sellergate_cli.legacy.rows import Choices
    from sellergate_cli.legacy.source import Source

SOME_REFUSED = 3
RESUME = " Imported rows are kept. Run the same command again to import the rest."

IMPORT_EXAMPLES = examples(
    "export SELLERGATE_LEGACY_DATABASE_URL=postgresql://reader@old-host/app?schema=public",
    "sellergate import-legacy --key-file key.txt --dry-run --report import.jsonl",
)


def import_legacy(
    database_url: Annotated[
        SecretStr,
        typer.Option(
            parser=SecretStr,
            metavar="URL",
            envvar="SELLERGATE_LEGACY_DATABASE_URL",
            help="URL of the former database: postgresql://… or sqlite:///file, also as Prisma writes it.",
        ),
    ],
    key: Annotated[
        SecretStr | None,
        typer.Option(
            parser=SecretStr,
            metavar="KEY",
            envvar="SELLERGATE_LEGACY_KEY",
            help="The former system's AES-256 key: 64 hex digits, base64 or 32 characters; or the passphrase for --key-from."
            " Prefer the variable or --key-file: process lists show command lines.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with the key; takes precedence over --key.")
    ] = None,
    key_from: Annotated[
        str | None,
        typer.Option(
            "--key-from",
            metavar="sha256|scrypt:SALT|pad",
            help="How the former system derives its key from a passphrase: sha256(passphrase), scryptSync(passphrase, SALT, 32)"
            " with Node's defaults, or passphrase.padEnd(32, '0').slice(0, 32).",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(help="Table or view to import; defaults to AmazonAccount or amazon_accounts."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FORMER=COLUMN",
            help="Maps a differently named column, such as owner_id=userId; repeat for each. The standard names in camel case"
            " and snake case need no mapping.",
        ),
    ] = None,
    application: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="Attach accounts only to this shared application; by default to any shared application with the same LWA client.",
        ),
    ] = "",
    own_applications: Annotated[
        bool,
        typer.Option(
            "--own-applications",
            help="Attach no account to a shared application: each user gets an own application, which the operator's secret"
            " rotations do not update.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the dry run without importing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Import after the dry run without confirmation.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File for the outcome of every row, one JSON document per line."),
    ] = None,
    roles_without_external_id: Annotated[
        bool,
        typer.Option(
            "--roles-without-external-id",
            help="Assume roles without an external ID, for trust policies that have no condition on sts:ExternalId. By default"
            " Sellergate sends an external ID, which the trust policy must then allow.",
        ),
    ] = False,
    state_dir: StateDir = None,
) -> None:
    """Import the accounts of the former monolith from its table in PostgreSQL or SQLite.

    The table is only read, and account IDs are kept. A dry run first detects how each column is encrypted and reports the
    outcome of every row; the import starts after a confirmation. Existing accounts are not changed, so the same command
    resumes an interrupted import.

    Rows are imported user by user: active before inactive, then by updatedAt, newest first. Of two rows of one seller the first
    is imported. Of two secrets of one LWA client the first is stored and the second kept as the previous secret for 7 days; a
    row with a third secret is refused. Accounts with the LWA client and secret of a shared application are attached to it; with
    another secret they are refused. A refused row is reported with its ID, the field and the reason; other rows continue.

    Exit codes: 0 all rows are imported, 3 some rows were refused, 1 failure, 2 wrong usage.
    """
    if application and own_applications:
        raise typer.BadParameter("--application and --own-applications exclude each other")
    source = _source(database_url, _key(key, key_file), key_from, table, columns or [])

    def run(*, dry: bool) -> "Tally":
        from sellergate_cli.legacy.rows import Choices  # noqa: PLC0415

        choices = Choices(dry, roles_without_external_id, own_applications, application)
        return complete(_run(source, report, state_dir, choices), "" if dry else RESUME)

    tally = planned = run(dry=True)
    _print(planned, report, dry=True)
    if application and planned.created and not planned.attached:
        say(f"No new account uses the LWA client of application {application}.")
    if not dry_run and planned.created:
        if not yes and not typer.confirm(_question(planned), err=True):
            fail("Stopped before the import. Nothing was stored.")
        tally = run(dry=False)
        _print(tally, report, dry=False)
        if tally.counts != planned.counts:
            say("The result differs from the dry run: the table or the accounts changed in between.", err=True)
    elif not dry_run:
        say("No rows are left to import.")
    if tally.refused:
        raise typer.Exit(SOME_REFUSED)


def _source(
    database_url: SecretStr, key: SecretStr, key_from: str | None, table: str | None, columns: list[str]
) -> "Source":
    """Return the source that the options name, and check them. Raises BadParameter."""
    from sellergate_cli.legacy.keys import is_key_from  # noqa: PLC0415
    from sellergate_cli.legacy.naming import Naming, parse_columns  # noqa: PLC0415
    from sellergate_cli.legacy.source import Source  # noqa: PLC0415

    if key_from is not None and not is_key_from(key_from):
        raise typer.BadParameter(f"--key-from {key_from!r} is unknown; use sha256, scrypt:SALT or pad")
    try:
        naming = Naming(table, parse_columns(columns))
    except ValueError as error:
        raise typer.BadParameter(f"--column {error}") from None
    return Source(database_url, key, key_from, naming)


async def _run(source: "Source", report: Path | None, state_dir: Path | None, choices: "Choices") -> "Tally":
    """Process the table once; a dry run prints how it was read. Raises SentenceError, SellergateError, SettingsError."""
    from sellergate_cli.legacy.display import progress, report_file  # noqa: PLC0415
    from sellergate_cli.legacy.notes import Tally  # noqa: PLC0415
    from sellergate_cli.legacy.runs import Run  # noqa: PLC0415

    dry = choices.dry_run
    with source.opened() as (table, cipher, lines), report_file(report, dry_run=dry) as write:
        tally = Tally(table.count, write, read_as=lines)
        with progress("Dry run" if dry else "Import", table.count) as moved:
            async with admin_service(state_dir) as admin:
                await Run(table, cipher, tally, moved, choices).go(admin)
    return tally


def _key(key: SecretStr | None, file: Path | None) -> SecretStr:
    if file is not None:
        try:
            return SecretStr(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            fail(f"Cannot read a key from {file} ({type(error).__name__}). It must be a readable text file.")
    if key is None:
        raise typer.BadParameter("the key is missing: set SELLERGATE_LEGACY_KEY, or give --key-file or --key")
    return key


def _question(planned: "Tally") -> str:
    attached = planned.attached.total()
    words = f", {attached} of them attached to a shared application" if attached else ""
    return f"Import {planned.created} accounts{words}?"


def _print(tally: "Tally", report: Path | None, *, dry: bool) -> None:
    """Print how the table was read, the counts and the first notes; fail unless every row is accounted for."""
    for line in tally.read_as if dry else ():
        say(harmless(line))
    say(f"{'Dry run' if dry else 'Import'} of {tally.rows} rows:")
    names = ("would be created" if dry else "created", "unchanged", "refused", "warnings")
    for name, count in zip(names, tally.counts, strict=True):
        say(f"  {name:<17}{count:>8}")
    for application_id, count in tally.attached.items():
        words = "would be attached" if dry else "attached"
        say(f"  {count} accounts {words} to the shared application {application_id}")
    for outcome in tally.notable:
        say(f"  {harmless(outcome.line())}")
    left_out = tally.refused + tally.warnings - len(tally.notable)
    if left_out:
        say(f"  … and {left_out} more, all of them in {report}" if report else f"  … and {left_out} more; see --report")
    total = f"{tally.created} + {tally.unchanged} + {tally.refused}"
    if not tally.adds_up:
        fail(f"{total} is not {tally.rows}: not every row is accounted for. Run the same command again.")
    say(f"  {total} = {tally.rows}: every row is accounted for.")
