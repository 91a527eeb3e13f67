"""`sellergate import-legacy`: imports the accounts of the former monolith, after a dry run that reports every outcome."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from sellergate_cli.operator import StateDir, admin_service, complete, fail
from sellergate_cli.terminal import harmless, say

if TYPE_CHECKING:
    from sellergate_cli.legacy.notes import Tally
    from sellergate_cli.legacy.rows import Choices
    from sellergate_cli.legacy.source import Source

SOME_REFUSED = 3
RESUME = " What is stored stays; run the same command again, and it goes on with the rest."


def import_legacy(
    database_url: Annotated[
        SecretStr,
        typer.Option(
            parser=SecretStr,
            metavar="URL",
            envvar="SELLERGATE_LEGACY_DATABASE_URL",
            help="The former system's database: postgresql://… or sqlite:///file; Prisma's own forms are taken, too.",
        ),
    ],
    key: Annotated[
        SecretStr | None,
        typer.Option(
            parser=SecretStr,
            metavar="KEY",
            envvar="SELLERGATE_LEGACY_KEY",
            help="Its AES-256 key: 64 hex digits, base64, or 32 characters; or the passphrase of --key-from. Process lists"
            " show what is typed; the variable and --key-file do not.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the key; comes before --key.")
    ] = None,
    key_from: Annotated[
        str | None,
        typer.Option(
            "--key-from",
            metavar="sha256|scrypt:SALT|pad",
            help="How the former system makes its key from a passphrase: sha256(passphrase), scryptSync(passphrase, SALT, 32)"
            " with Node's defaults, or passphrase.padEnd(32, '0').slice(0, 32).",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="The table, or a view of it. Otherwise AmazonAccount or amazon_accounts, whichever is there."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="THEIRS=OURS",
            help="A column with a name of its own, as in owner_id=userId; repeat it for each. Names in camel case and in"
            " snake case are recognised without it.",
        ),
    ] = None,
    application: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="Attach accounts only to this application of the operator's. Otherwise to any whose LWA client they have.",
        ),
    ] = "",
    own_applications: Annotated[
        bool,
        typer.Option(
            "--own-applications",
            help="Attach no account to an operator's application: each user gets an application of its own, which rotations"
            " of the operator's do not reach.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the dry run; nothing is stored.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on after the dry run without asking.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write what became of every row here, one JSON document per line."),
    ] = None,
    roles_without_external_id: Annotated[
        bool,
        typer.Option(
            "--roles-without-external-id",
            help="For roles of before, whose trust policy has no condition on sts:ExternalId: assume them without one."
            " Otherwise Sellergate sends an external id of its own, which such a policy has to be given first.",
        ),
    ] = False,
    state_dir: StateDir = None,
) -> None:
    """Import the accounts of the former monolith from its table in PostgreSQL or SQLite.

    The table is only read, and ids are kept. A dry run first detects how each column is encrypted and reports what would
    become of every row. Rows go user by user, active ones first, then the newest updatedAt first: of two rows of one seller
    the first is imported, and of two secrets of one LWA client the first is stored, the other kept as the previous one for 7
    days, and a row with a third is refused. Accounts whose LWA client and secret are those of an operator's application are
    attached to it; with another secret they are refused. A row that cannot be imported whole is refused with its id, a field
    and a reason, and the others go on. What is there already stays as it is, so a broken import is resumed by the same command.

    Exit code: 0 when all rows are in, 3 when some were refused, 1 when it failed, 2 when it was called wrongly.
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
        say(f"No new account has the LWA client of the application {application}.")
    if not dry_run and planned.created:
        if not yes and not typer.confirm(_question(planned), err=True):
            fail("Nothing was stored.")
        tally = run(dry=False)
        _print(tally, report, dry=False)
        if tally.counts != planned.counts:
            say("That differs from the dry run: the table or the accounts changed in between.", err=True)
    elif not dry_run:
        say("Nothing is left to import.")
    if tally.refused:
        raise typer.Exit(SOME_REFUSED)


def _source(
    database_url: SecretStr, key: SecretStr, key_from: str | None, table: str | None, columns: list[str]
) -> "Source":
    """Check the options that say what is read and with which key. Raises BadParameter."""
    from sellergate_cli.legacy.keys import is_key_from  # noqa: PLC0415
    from sellergate_cli.legacy.naming import Naming, parse_columns  # noqa: PLC0415
    from sellergate_cli.legacy.source import Source  # noqa: PLC0415

    if key_from is not None and not is_key_from(key_from):
        raise typer.BadParameter("--key-from must be sha256, scrypt:SALT or pad")
    try:
        naming = Naming(table, parse_columns(columns))
    except ValueError as error:
        raise typer.BadParameter(f"--column {error}") from None
    return Source(database_url, key, key_from, naming)


async def _run(source: "Source", report: Path | None, state_dir: Path | None, choices: "Choices") -> "Tally":
    """Run over the table once; a dry run prints how it was read. Raises SentenceError, SellergateError, SettingsError."""
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
            fail(f"{file} cannot be read as a key ({type(error).__name__}).")
    if key is None:
        raise typer.BadParameter("the key is missing: set SELLERGATE_LEGACY_KEY, or give --key-file or --key")
    return key


def _question(planned: "Tally") -> str:
    attached = planned.attached.total()
    words = f", {attached} of them attached to the operator's application" if attached else ""
    return f"Import {planned.created} accounts{words}?"


def _print(tally: "Tally", report: Path | None, *, dry: bool) -> None:
    """Print how the table was read, the counts and the first notes; a run that does not account for every row has failed."""
    for line in tally.read_as if dry else ():
        say(harmless(line))
    say(f"{'Dry run' if dry else 'Import'} of {tally.rows} rows:")
    names = ("would be created" if dry else "created", "unchanged", "refused", "warnings")
    for name, count in zip(names, tally.counts, strict=True):
        say(f"  {name:<17}{count:>8}")
    for application_id, count in tally.attached.items():
        words = "would be attached" if dry else "attached"
        say(f"  {count} accounts {words} to the operator's application {application_id}")
    for fate in tally.notable:
        say(f"  {harmless(fate.line())}")
    left_out = tally.refused + tally.warnings - len(tally.notable)
    if left_out:
        say(f"  … and {left_out} more, all of them in {report}" if report else f"  … and {left_out} more; see --report")
    total = f"{tally.created} + {tally.unchanged} + {tally.refused}"
    if not tally.adds_up:
        fail(f"{total} is not {tally.rows}: not every row is accounted for. Run the same command again.")
    say(f"  {total} = {tally.rows}: every row is accounted for.")
