"""Print the pass rates of the behavioural cases by group, as Markdown for the model's card.

python tests/behaviour/table.py
"""

from __future__ import annotations

from cases import load_cases, read, results


def main() -> None:
    """Read every case with the shipped model and print the table."""
    cases = load_cases()
    by_group = results(cases, read(asked for case in cases for asked in case.asked()))
    print("| Group | Kind | Cases | Passed | Rate |\n|---|---|---|---|---|")
    for result in by_group.values():
        passed = result.cases - len(result.failures)
        print(f"| {result.group} | {result.kind} | {result.cases} | {passed} | {result.rate:.3f} |")
    failures = sum(len(result.failures) for result in by_group.values())
    total = len(cases) - failures
    print(f"| **all** | | {len(cases)} | {total} | {total / len(cases):.3f} |")


if __name__ == "__main__":
    main()
