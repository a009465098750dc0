"""Hits and false alarms of the draft check on the tests' sentences, as a table in Markdown."""

from __future__ import annotations

from pathlib import Path

import yaml

from wanglou.models.response.draft import Concern, Wording, check_draft, load_wording

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = ROOT / "tests" / "models" / "response" / "draft_sentences.yaml"
OF_WORDS = (Concern.PROMISE, Concern.BLAME, Concern.RUDE, Concern.PERSONAL)
"""Concerns that a single sentence can have."""


def found_in(sentence: str, wording: Wording) -> set[Concern]:
    """Concerns of the words of one sentence."""
    return {one.concern for one in check_draft(sentence, wording)}.intersection(OF_WORDS)


def main() -> None:
    """Print the table, and the sentences that are judged wrongly."""
    wording = load_wording(ROOT / "deploy" / "wording.yaml")
    wrong = []
    print("| Sentences | Concern | Should warn | Hits | False alarms |\n|---|---|---|---|---|")
    for name, sorted_by in yaml.safe_load(SENTENCES.read_text(encoding="utf-8")).items():
        cases = [(kind, one) for kind, sentences in sorted_by.items() for one in sentences]
        for concern in OF_WORDS:
            hits = alarms = 0
            for kind, sentence in cases:
                is_found = concern in found_in(sentence, wording)
                hits += is_found and kind == concern
                alarms += is_found and kind != concern
                if is_found != (kind == concern):
                    wrong.append(
                        f"{name} {concern.value} {'' if is_found else 'not '}found: {sentence}"
                    )
            asked = sum(kind == concern for kind, _ in cases)
            alarm = f"{alarms} of {len(cases) - asked}"
            print(f"| {name} | {concern.value} {concern.chinese} | {asked} | {hits} | {alarm} |")
    print("", *wrong, sep="\n")


if __name__ == "__main__":
    main()
