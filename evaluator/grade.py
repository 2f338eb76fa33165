"""From records to grades: pure, but for the code that runs in the sandbox."""

from evaluator.benchmarks.extract_choice import extract_choice
from evaluator.benchmarks.extract_code import extract_code, goes_on_after_body
from evaluator.records import Answer, Extraction, Grade, Outcome, Question, Record
from evaluator.sandbox import NoSandbox, Run, Sandbox, run_tests
from evaluator.thinking import Thought, split_thinking

VERSION = "1"

_REFUSALS = (
    "i'm sorry",
    "i am sorry",
    "sorry,",
    "i cannot",
    "i can't",
    "i can not",
    "i'm unable",
    "i am unable",
    "as an ai",
)


class Grader:
    """Grades records; the same program is put through the same tests only once."""

    def __init__(self, sandbox: Sandbox | NoSandbox) -> None:
        self._sandbox = sandbox
        self._runs: dict[tuple[str, str], Run] = {}

    def grade(self, record: Record, question: Question) -> Grade:
        """Grade one record of `question`; blocks while code runs."""
        outcome, extraction = self._judge(record, question)
        return Grade(
            key=record.key,
            variant=record.variant,
            outcome=outcome,
            extracted=extraction.value,
            why=extraction.why,
        )

    def _judge(self, record: Record, question: Question) -> tuple[Outcome, Extraction]:
        answer = record.answer
        if answer is None:
            failure = record.failure
            return "failed", Extraction(value=None, why=failure.message if failure else "no reply was recorded")
        thought = split_thinking(answer.text, answer.reasoning)
        if silent := _no_answer(answer, thought, question):
            return silent
        if question.benchmark == "mmlu_pro":
            extraction = extract_choice(thought.answer, question.letters, question.options)
        else:
            extraction = extract_code(
                thought.answer,
                code_prompt=question.code_prompt,
                entry_point=question.answer,
                completion=not question.prompt.chat,
            )
        if extraction.value is None:
            refused = thought.answer.lstrip().replace("\u2019", "'").lower().startswith(_REFUSALS)
            return ("refused" if refused else "unparsed"), extraction
        if question.benchmark == "mmlu_pro":
            return ("correct" if extraction.value == question.answer else "wrong"), extraction
        return self._execute(extraction, question)

    def _execute(self, extraction: Extraction, question: Question) -> tuple[Outcome, Extraction]:
        program = extraction.value or ""
        if isinstance(self._sandbox, NoSandbox):
            return "not_scored", Extraction(value=program, why=self._sandbox.reason)
        seen = (question.id, program)
        run = self._runs.get(seen) or run_tests(self._sandbox, program, question.tests, question.answer)
        if run.outcome == "no_verdict":
            return "not_scored", Extraction(value=program, why=run.reason)
        self._runs[seen] = run
        outcome: Outcome = "correct" if run.outcome == "passed" else "wrong"
        return outcome, Extraction(value=program, why=f"{extraction.why}; {run.reason}")


def _no_answer(answer: Answer, thought: Thought, question: Question) -> tuple[Outcome, Extraction] | None:
    """Tell the replies that hold no whole answer, whatever text they hold."""
    if thought.unclosed:
        return "truncated", Extraction(value=None, why="the thinking never ends")
    # A base model does not know when to stop: its function counts if it ended before the limit cut the rest.
    completes_code = question.benchmark == "humaneval" and not question.prompt.chat
    if answer.finish_reason == "length" and not (completes_code and goes_on_after_body(thought.answer)):
        return "truncated", Extraction(value=None, why="the output limit cut the reply")
    if not thought.answer.strip():
        why = "thinking, but no answer after it" if thought.reasoning else "nothing was written"
        return "empty", Extraction(value=None, why=why)
    return None
