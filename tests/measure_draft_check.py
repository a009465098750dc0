"""Hits and false alarms of the draft check on the tests' sentences, as a table in Markdown.

A hit is a sentence that is warned of for what it was written for; a false alarm is a sentence
without fault that is warned of at all.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from wanglou.models.response.draft import Concern, Wording, check_draft, load_wording

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = ROOT / "tests" / "models" / "response" / "draft_sentences.yaml"
OF_WORDS = (Concern.PROMISE, Concern.BLAME, Concern.RUDE, Concern.PERSONAL)
"""Concerns that a single sentence can have."""


def is_wrong(sentence: str, kind: str, wording: Wording) -> bool:
    """Whether a sentence is judged otherwise than by what it was written for."""
    found = {one.concern for one in check_draft(sentence, wording)}.intersection(OF_WORDS)
    return bool(found) if kind == "none" else kind not in found


def wrong(sentences: dict[str, list[str]], wording: Wording) -> list[str]:
    """Sentences of one set, by what they were written for, that are judged wrongly."""
    return [
        sentence
        for kind, written in sentences.items()
        for sentence in written
        if is_wrong(sentence, kind, wording)
    ]


def main() -> None:
    """Print the table, and the sentences that are judged wrongly."""
    wording = load_wording(ROOT / "deploy" / "wording.yaml")
    missed: list[str] = []
    print(f"| Sentences | {' | '.join(f'{one.value} {one.chinese}' for one in OF_WORDS)} |", end="")
    print(" false alarms |\n|---|---|---|---|---|---|")
    for name, sentences in yaml.safe_load(SENTENCES.read_text(encoding="utf-8")).items():
        print(f"| {name} |", end="")
        for kind, written in sentences.items():
            failed = wrong({kind: written}, wording)
            missed += [f"{name} {kind}: {sentence}" for sentence in failed]
            number = len(failed) if kind == "none" else len(written) - len(failed)
            print(f" {number} of {len(written)} |", end="")
        print()
    print("", *missed, sep="\n")


if __name__ == "__main__":
    main()
