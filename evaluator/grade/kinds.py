"""What differs between the kinds of answers: how an answer is read, and how it is judged.

What reads them is imported when it first does: it has hundreds of patterns, and a study seldom has all kinds.
"""

from typing import Protocol

from evaluator.records import Extraction, Kind, Outcome, Question


class AnswerKind(Protocol):
    """One kind of answer. Replies come without their thinking."""

    def extract(self, text: str, question: Question) -> Extraction:
        """Read the answer that a reply commits to, in time linear in its length."""

    def judge(self, value: str, question: Question) -> Outcome | None:
        """Compare what was read with the right answer; None for a program, which has yet to be run."""

    def survives_limit(self, text: str, question: Question) -> bool:
        """Whether a reply that was cut off by the output limit still holds a whole answer."""

    def ends_by_itself(self, text: str, question: Question) -> bool | None:
        """Whether a reply is whole by its own end, whatever its server says of that; None where only tests can tell."""


class Choice:
    """A letter of the question's options."""

    def extract(self, text: str, question: Question) -> Extraction:
        """Read a letter."""
        from evaluator.grade.choice.extract import read_letter  # noqa: PLC0415

        return read_letter(text, question.letters, question.options)

    def judge(self, value: str, question: Question) -> Outcome | None:
        """Compare letters."""
        return "correct" if value in {question.answer, *question.also_right} else "wrong"

    def survives_limit(self, text: str, question: Question) -> bool:  # noqa: ARG002 - the protocol's
        """Never: what follows might have corrected the answer."""
        return False

    def ends_by_itself(self, text: str, question: Question) -> bool:
        """Its last sentence is the answer, and closed."""
        from evaluator.grade.natural_end import ends_with_letter  # noqa: PLC0415

        return ends_with_letter(text, question)


class Code:
    """A Python function, judged by its tests."""

    def extract(self, text: str, question: Question) -> Extraction:
        """Put a program together."""
        from evaluator.grade.code.extract import read_program  # noqa: PLC0415

        return read_program(
            text,
            code_prompt=question.code_prompt,
            entry_point=question.answer,
            completion=not question.prompt.chat,
        )

    def judge(self, value: str, question: Question) -> Outcome | None:  # noqa: ARG002 - the protocol's
        """None: the tests decide."""
        return None

    def survives_limit(self, text: str, question: Question) -> bool:
        """Only a base model's function that ended before the limit: the model does not know when to stop."""
        from evaluator.grade.code.extract import goes_on_after_body  # noqa: PLC0415

        return not question.prompt.chat and goes_on_after_body(text, question.answer)

    def ends_by_itself(self, text: str, question: Question) -> bool | None:
        """It ends with a closed block, or a completion with a line that leaves the function."""
        from evaluator.grade.natural_end import ends_with_code  # noqa: PLC0415

        return ends_with_code(text, question)


class Number:
    """An exact number."""

    def extract(self, text: str, question: Question) -> Extraction:  # noqa: ARG002 - the protocol's
        """Read a number."""
        from evaluator.grade.number.extract import read_number  # noqa: PLC0415

        return read_number(text)

    def judge(self, value: str, question: Question) -> Outcome | None:
        """Compare values, not their spelling: 18.0 is 18."""
        from evaluator.grade.number.numerals import same_number  # noqa: PLC0415

        return "correct" if same_number(value, question.answer) else "wrong"

    def survives_limit(self, text: str, question: Question) -> bool:  # noqa: ARG002 - the protocol's
        """Never: what follows might have corrected the answer."""
        return False

    def ends_by_itself(self, text: str, question: Question) -> bool:  # noqa: ARG002 - the protocol's
        """Its last sentence is the answer, and closed, or a number that it has just named."""
        from evaluator.grade.natural_end import ends_with_number  # noqa: PLC0415

        return ends_with_number(text)


KINDS: dict[Kind, AnswerKind] = {"choice": Choice(), "code": Code(), "number": Number()}
