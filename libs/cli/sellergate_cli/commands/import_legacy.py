"""`sellergate import-legacy`: moves the accounts of the former monolith over, after a dry run that foretells all of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from sellergate_cli.operator import StateDir, admin_service, completed, fail

if TYPE_CHECKING:
    from sellergate_cli.legacy.notes import Tally

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
            help="Its AES-256 key: 64 hex digits, base64, or 32 characters. Lists of processes show what is typed; the"
            " variable and --key-file do not.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the key; comes before --key.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the dry run; nothing is stored.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on after the dry run without asking.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write every refusal and warning here, a JSON document a line."),
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
    """Import the accounts of the former monolith: its table "AmazonAccount", in PostgreSQL or SQLite.

    The table is only read, and ids are kept. Rows go user by user, each user's newest updatedAt first: of two rows with one
    LWA client, the newer secret is stored. A row that cannot be imported whole is refused with its id, a field and a
    reason, and the others go on. What is there already stays as it is, so a broken import is resumed by the same command.

    Exit code: 0 when all rows are in, 3 when some were refused, 1 when it failed, 2 when it was called wrongly.
    """

    def run(*, dry: bool) -> "Tally":
        work = _run(database_url, _key(key, key_file), report, state_dir, dry, roles_without_external_id)
        return completed(work, "" if dry else RESUME)

    tally = foretold = run(dry=True)
    _tell(foretold, report, dry=True)
    if not dry_run and foretold.created:
        if not yes and not typer.confirm(f"Import {foretold.created} accounts?", err=True):
            fail("Nothing was stored.")
        tally = run(dry=False)
        _tell(tally, report, dry=False)
        if tally.counts != foretold.counts:
            typer.echo("That is not what the dry run foretold: the table or the accounts changed in between.", err=True)
    elif not dry_run:
        typer.echo("Nothing is left to import.")
    if tally.refused:
        raise typer.Exit(SOME_REFUSED)


async def _run(
    database_url: SecretStr, key: SecretStr, report: Path | None, state_dir: Path | None, dry: bool, bare_roles: bool
) -> "Tally":
    """Run over the table once. Raises SentenceError, SellergateError, SettingsError."""
    from sellergate_cli.legacy.ciphers import LegacyCipher, parse_key  # noqa: PLC0415
    from sellergate_cli.legacy.notes import Tally  # noqa: PLC0415
    from sellergate_cli.legacy.runs import Run  # noqa: PLC0415
    from sellergate_cli.legacy.showing import progress, report_file  # noqa: PLC0415
    from sellergate_cli.legacy.table import open_table  # noqa: PLC0415

    cipher = LegacyCipher(parse_key(key))
    with open_table(database_url) as table, report_file(report, dry_run=dry) as write:
        tally = Tally(table.count, write)
        with progress("Dry run" if dry else "Import", table.count) as moved:
            async with admin_service(state_dir) as admin:
                await Run(table, cipher, tally, moved, dry_run=dry, role_without_external_id=bare_roles).go(admin)
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


def _tell(tally: "Tally", report: Path | None, *, dry: bool) -> None:
    """Print the counts and the first notes; a run that does not account for every row has failed."""
    typer.echo(f"{'Dry run' if dry else 'Import'} of {tally.rows} rows:")
    names = ("would be created" if dry else "created", "unchanged", "refused", "warnings")
    for name, count in zip(names, tally.counts, strict=True):
        typer.echo(f"  {name:<17}{count:>8}")
    for note in tally.notes:
        typer.echo(f"  {note.outcome}: {note.line()}")
    left_out = tally.refused + tally.warnings - len(tally.notes)
    if left_out:
        typer.echo(
            f"  … and {left_out} more, all of them in {report}" if report else f"  … and {left_out} more; see --report"
        )
    total = f"{tally.created} + {tally.unchanged} + {tally.refused}"
    if not tally.adds_up:
        fail(f"{total} is not {tally.rows}: not every row is accounted for. Run the same command again.")
    typer.echo(f"  {total} = {tally.rows}: every row is accounted for.")
