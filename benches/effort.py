"""How long and how large the measurements are."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Effort:
    """The sizes of a run. A subject is measured in `rounds` of `seconds`, in turn with those it is compared with."""

    quick: bool = False
    rounds: int = 7
    seconds: float = 1.0
    sweep_rounds: int = 3
    """Rounds of each step of a series, such as a number of callers."""
    starts: int = 3
    """Starts of each process."""
    sellers: int = 10_000
    """Sellers that are called in turn."""
    cold: int = 2_000
    """Sellers whose first call is measured."""
    accounts: tuple[int, ...] = (1, 1_000, 10_000, 100_000)
    """Accounts in the database, growing."""
    callers: tuple[int, ...] = (1, 4, 16, 64, 256, 512)
    body_bytes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

    @property
    def of_step(self) -> "Effort":
        """The effort for one step of a series."""
        return replace(self, rounds=self.sweep_rounds)


FULL = Effort()
QUICK = Effort(
    quick=True,
    rounds=3,
    seconds=0.5,
    sweep_rounds=2,
    starts=1,
    sellers=1_000,
    cold=300,
    accounts=(1, 1_000, 5_000),
    callers=(1, 16, 64, 256),
    body_bytes=(1_000, 100_000, 1_000_000),
)
