"""Results as lines of a table."""

from __future__ import annotations

from collections.abc import Sequence

from trial import Result

HEADER = (
    f"{'no':>4}  {'fault':<20}  {'flowing s':>9}  {'standstill s':>12}  {'messages':>8}  "
    f"{'repeats':>7}  {'lost':>5}  {'wrong':>5}  verdict"
)


def line(number: int, result: Result) -> str:
    """A result as a line of the table."""
    verdict = "ok" if not result.problems else "; ".join(result.problems).replace("\n", " ")
    return (
        f"{number:>4}  {result.fault:<20}  {result.seconds_until_flowing:>9.1f}  "
        f"{result.standstill_seconds:>12.1f}  {result.messages:>8}  {result.repeats:>7}  "
        f"{result.lost:>5}  {result.wrong:>5}  {verdict}"
    )


def summary(results: Sequence[Result]) -> str:
    """By fault: how often, and the worst of everything."""
    rows = [
        f"{'fault':<20}  {'times':>5}  {'failed':>6}  {'flowing s':>9}  {'standstill s':>12}  "
        f"{'repeats':>7}  {'lost':>5}  {'wrong':>5}"
    ]
    for name in sorted({one.fault for one in results}):
        mine = [one for one in results if one.fault == name]
        rows.append(
            f"{name:<20}  {len(mine):>5}  {sum(bool(one.problems) for one in mine):>6}  "
            f"{max(one.seconds_until_flowing for one in mine):>9.1f}  "
            f"{max(one.standstill_seconds for one in mine):>12.1f}  "
            f"{max(one.repeats for one in mine):>7}  {sum(one.lost for one in mine):>5}  "
            f"{sum(one.wrong for one in mine):>5}"
        )
    failed = sum(bool(one.problems) for one in results)
    rows.append(f"{len(results)} faults, {failed} failed (seconds and repeats: the worst of each)")
    return "\n".join(rows)
