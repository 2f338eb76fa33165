"""What is shown of a question when it is opened: its prompt, the right answer, and every reply with its figures."""

from collections.abc import Iterable, Mapping

from evaluator.analyse.questions import Reply
from evaluator.records import Key, Question, limit_of
from evaluator.report.packed import ReplyTexts, Texts, Thoughts


def texts_of(
    question: Question,
    replies: Iterable[tuple[int, Reply]],
    examples: dict[str, int],
    partings: Mapping[tuple[str, Key], str],
) -> Texts:
    """Collect what is shown of a question.

    Args:
        question: It.
        replies: With the column that each belongs to.
        examples: The beginnings that prompts share, each with its number; new ones are added.
        partings: By variant and question a sentence on where its answer leaves the baseline's.
    """
    before, own = parted(question)
    return Texts(
        examples=examples.setdefault(before, len(examples)) if before else -1,
        prompt=own,
        right=_right(question),
        tests=question.tests,
        replies=tuple(
            _reply_texts(column, reply, partings.get((reply.record.variant, reply.record.key), ""))
            for column, reply in replies
        ),
    )


def parted(question: Question) -> tuple[str, str]:
    """Part a prompt into what stands before the question, its worked examples included, and the question itself.

    Without worked examples the question is all of it.
    """
    begin, end = question.examples
    return (question.text[:end], question.text[end:]) if end > begin else ("", question.text)


def thoughts_of(replies: Iterable[tuple[int, Reply]]) -> Thoughts:
    """Collect the thinking before the replies to a question."""
    return tuple((column, reply.thinking) for column, reply in replies if reply.thinking.strip())


def _right(question: Question) -> str:
    if question.kind != "choice" or question.answer not in question.letters:
        return question.answer
    letters = (question.answer, *question.also_right)
    return "\n".join(f"{letter}. {question.options[question.letters.index(letter)]}" for letter in letters)


def _reply_texts(column: int, reply: Reply, parting: str) -> ReplyTexts:
    record, grade, answer, failure = reply.record, reply.grade, reply.record.answer, reply.record.failure
    return ReplyTexts(
        column=column,
        text=reply.text,
        why=grade.why if grade else "",
        extracted=(grade.extracted or "") if grade else "",
        prompt_tokens=answer.prompt_tokens if answer else None,
        completion_tokens=answer.completion_tokens if answer else None,
        duration_s=_rounded(answer.duration_s) if answer else None,
        first_token_s=_rounded(answer.first_token_s) if answer else None,
        end=(answer.finish_reason or "") if answer else "",
        failure=f"{failure.kind.replace('_', ' ')}: {failure.message}" if failure else "",
        limit=limit_of(record.request),
        attempts=len(record.attempts),
        parting=parting,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
