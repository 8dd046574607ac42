"""What a person is told when something was not done."""

from __future__ import annotations


class Refusal(Exception):
    """A use case said no, or typed text cannot be used; nothing was changed. `sentence` is for the
    person who asked: why, and what to do."""

    sentence: str = ""

    def __init__(self, sentence: str | None = None) -> None:
        if sentence is not None:
            self.sentence = sentence
        super().__init__(self.sentence)
