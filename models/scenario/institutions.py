"""The institutions of a scenario: those of the built-in watch list, then others as made up."""

from __future__ import annotations

from wanglou.models.training.bank_texts import invented_names
from wanglou.models.watchlist import Institution, Watchlist


def cast(watchlist: Watchlist, count: int) -> Watchlist:
    """A watch list of ``count`` institutions. Raises ValueError where there are no more names."""
    known = list(watchlist.institutions)
    taken = " ".join(name for one in known for name in one.normalised_names)
    names = [name for name in invented_names() if name not in taken]
    if count > len(known) + len(names):
        raise ValueError(f"{count} institutions: there are names for {len(known) + len(names)}")
    others = [
        Institution(id=f"invented-{number:03}", name=name) for number, name in enumerate(names, 1)
    ]
    return Watchlist(institutions=tuple([*known, *others][:count]))


def rivals(watchlist: Watchlist) -> tuple[str, ...]:
    """Names of institutions that nobody watches."""
    taken = " ".join(name for one in watchlist.institutions for name in one.normalised_names)
    return tuple(name for name in invented_names() if name not in taken)
