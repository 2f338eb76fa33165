"""A number counts where a reply commits to it, however it is written, and nowhere else."""

import time

import pytest

from evaluator.grade.number.extract import read_number

ANNOUNCED: dict[str, tuple[str, str]] = {
    "hashes": ("She makes 9 * 2 = $18.\n#### 18", "18"),
    "hashes without a space": ("####18", "18"),
    "hashes, currency": ("#### $70,000", "70000"),
    "hashes, unit": ("#### 540 meters", "540"),
    "hashes, negative": ("#### -10", "-10"),
    "hashes, thousands": ("#### 1,450,000", "1450000"),
    "hashes, annotated solution": ("16-3-4=<<16-3-4=9>>9 eggs\n9*2=$<<9*2=18>>18\n#### 18", "18"),
    "asked form": ("So 16 - 3 = 13. The final answer is 18", "18"),
    "asked form, stop": ("The answer is 18.", "18"),
    "asked form, colon": ("The answer is: 18", "18"),
    "currency": ("The answer is $18.", "18"),
    "euro": ("The answer is \u20ac18.", "18"),
    "US dollars": ("The answer is US$18.", "18"),
    "unit": ("The answer is 18 dollars per day.", "18"),
    "attached unit": ("The final answer is 140cm", "140"),
    "cents": ("The answer is $18.50.", "18.5"),
    "zeros behind the point": ("The answer is 18.00.", "18"),
    "no zero before the point": ("The answer is .5", "0.5"),
    "percent": ("The answer is 25%.", "25"),
    "percent, apart": ("The answer is 25 %", "25"),
    "percent of something": ("The answer is 25% of the cake.", "25"),
    "negative": ("The answer is -3.", "-3"),
    "negative currency": ("The answer is -$3.", "-3"),
    "currency negative": ("The answer is $-3.", "-3"),
    "minus sign": ("The answer is \u22123.", "-3"),
    "fraction": ("The answer is 1/3.", "1/3"),
    "mixed number": ("The answer is 3 1/2.", "3.5"),
    "million": ("The answer is 1.5 million dollars.", "1500000"),
    "full width": ("\u7b54\u6848\u662f\uff11\uff18\u3002", "18"),
    "in words": ("The answer is eighteen.", "18"),
    "in words, tens": ("The answer is forty-two dollars.", "42"),
    "in words, thousands": ("The final answer is seventy thousand dollars.", "70000"),
    "bold": ("**The answer is 18.**", "18"),
    "bold number": ("The answer is **18**.", "18"),
    "bold currency": ("The answer is **$18**.", "18"),
    "italic": ("The answer is *18*.", "18"),
    "code": ("The answer is `18`.", "18"),
    "heading": ("### Final Answer\n\n18", "18"),
    "heading, bold": ("**Final Answer:**\n\n**$18**", "18"),
    "label": ("16 - 7 = 9\n9 * 2 = 18\nAnswer: 18", "18"),
    "label, bold": ("**Answer:** 18 dollars", "18"),
    "label, capitals": ("ANSWER = 18", "18"),
    "label, equation": ("Answer: 9 * 2 = 18 dollars", "18"),
    "boxed": (r"\boxed{18}", "18"),
    "boxed, display": (r"\[ \boxed{18} \]", "18"),
    "boxed, dollars": (r"$\boxed{\$18}$", "18"),
    "boxed, unit": (r"\boxed{18 \text{ dollars}}", "18"),
    "boxed, thousands": (r"\boxed{1{,}450{,}000}", "1450000"),
    "boxed, thin space": (r"\boxed{70\,000}", "70000"),
    "boxed, fraction": (r"\boxed{\frac{1}{2}}", "0.5"),
    "boxed, percent": (r"\boxed{25\%}", "25"),
    "boxed, variable": (r"\boxed{x = 18}", "18"),
    "boxed, equation": (r"\boxed{9 \times 2 = 18}", "18"),
    "boxed, as Minerva ends": (r"Final Answer: The final answer is $\boxed{18}$. I hope it is correct.", "18"),
    "boxed, then a remark": (r"\boxed{18} for 9 eggs.", "18"),
    "mathematics": (r"The answer is $18$.", "18"),
    "brackets of mathematics": (r"The answer is \(18\).", "18"),
    "mathematics, equation": (r"The answer is $9 \times 2 = 18$.", "18"),
    "equation": ("The answer is 16 - 3 - 4 = 9 * 2 = $18.", "18"),
    "variable": ("The answer is x = 18.", "18"),
    "about": ("The answer is approximately 18.", "18"),
    "a total of": ("The answer is a total of 18 eggs.", "18"),
    "of what": ("The answer to the problem is 18.", "18"),
    "in a sentence": ("The answer is that she makes $18 every day.", "18"),
    "said first": ("The answer is 18. She has 16 - 7 = 9 eggs left, at $2 each.", "18"),
    "said twice": ("The answer is 18.\n\n#### 18", "18"),
    "said twice, written otherwise": (r"The answer is $18.00. \boxed{18}", "18"),
    "corrected": ("The answer is 20. Wait, she eats three. So the answer is 18.", "18"),
    "reasoned on": ("The answer is 9. Each egg brings $2 and there are 9 of them. The answer is 18.", "18"),
    "step in a box, then the answer": (r"First \boxed{9} eggs are left. They bring 2 each, so \boxed{18}", "18"),
    "next question invented": ("The answer is 18.\n\nQ: Tom has 5 apples.\nA: The answer is 5.", "18"),
    "question first": ("Question: Tom has 5 apples and 13 pears?\nAnswer: 18", "18"),
    "affirmed": ("The answer is 18. Wait, 9 * 2 is 18. Yes, that is correct.", "18"),
    "German": ("Die Antwort lautet 18.", "18"),
    "Spanish": ("La respuesta es 18.", "18"),
    "Chinese": ("\u7b54\u6848\uff1a18", "18"),
}
AT_THE_END: dict[str, tuple[str, str]] = {
    "bare": ("18", "18"),
    "bare, dollars": ("$18", "18"),
    "bare, stop": ("18.", "18"),
    "bare, bold": ("**18**", "18"),
    "bare, unit": ("18 dollars", "18"),
    "bare, in words": ("Eighteen", "18"),
    "last line": ("She sells 16 - 7 eggs at $2 each.\n\n18", "18"),
    "last line, unit": ("She sells 9 eggs at $2 each.\n$18 per day", "18"),
    "last line, label": ("9 eggs at $2 each.\nTotal: $18", "18"),
    "last line, label of a sum": ("Eggs: 9\nPrice: $2\nTotal: $18", "18"),
    "last equation": ("16 - 3 - 4 = 9 eggs.\nShe makes 9 * 2 = $18 every day at the market.", "18"),
    "last equation, in words": ("9 times 2 equals 18.", "18"),
    "last equation, chained": ("9 * 2 = 3 * 6 = 18", "18"),
    "last equation, then words": ("9 * 2 = 18.\n\nI hope that helps!", "18"),
    "last equation, annotated": ("She makes 9 * 2 = $<<9*2=18>>18", "18"),
    "bold in the last line": ("Janet makes **$18** from 9 eggs every day.", "18"),
    "conclusion": ("16 - 7 is 9, at 2 each.\nSo Janet makes $18 every day.", "18"),
    "conclusion, therefore": ("Therefore, she needs 3 bolts.", "3"),
    "conclusion in a clause": ("9*2=18, so she makes $18.00 every day.", "18"),
    "conclusion in a clause, therefore": ("She sells 9 eggs at $2 each; therefore she makes $18.", "18"),
    "conclusion in the last of clauses": ("She has 16 eggs, so 9 are left, and thus she makes $18.", "18"),
    "conclusion, in total": ("James runs 540 meters in total.", "540"),
}
UNANSWERED: dict[str, str] = {
    "empty": "",
    "no number": "She makes quite a lot.",
    "lone number in prose": "Janet has ducks that lay 16 eggs per day.",
    "last of several": "She pays $64 for 16 glasses.",
    "conclusion with two numbers": "So she pays $64 for 16 glasses.",
    "conclusion in a clause, two numbers": "A glass is $4, so she pays $64 for 16 glasses.",
    "conclusion in a clause, without its number": "She makes $18, so she is glad.",
    "conclusion in a clause, if": "If she sells 9 eggs, so she makes $18.",
    "purpose": "She sells 9 eggs, so that she has $18.",
    "two answers": "The answer is 18. The answer is 20.",
    "two answers, two forms": "The answer is 18.\n#### 20",
    "two answers, so": "The answer is 18, so the final answer is 20.",
    "box of words": r"\boxed{\text{none}} of the 16 eggs",
    "two boxes": r"\boxed{18} \boxed{20}",
    "or": "The answer is 18 or 19.",
    "and": "The answer is 18 apples and 24 pears.",
    "list": "The answer is 18, 24.",
    "list in a box": r"\boxed{18, 24}",
    "range": "The answer is 5-10.",
    "range, dash": "The answer is 5\u201310.",
    "range, to": "The answer is 5 to 10 dollars.",
    "range, between": "The answer is between 5 and 10.",
    "dollars and cents": "The answer is 18 dollars and 50 cents.",
    "hours and minutes": "The answer is 2 hours 30 minutes.",
    "time of day": "The answer is 12:30.",
    "ratio": "The answer is 2:3.",
    "date": "The answer is 2/3/2020.",
    "ordinal": "The answer is the 18th.",
    "thousands, attached": "The answer is 70k.",
    "power": "The answer is 10^6.",
    "wrong groups": "The answer is 1,23.",
    "decimal comma and point": "The answer is 1.234,56.",
    "version": "The answer is 1.2.3.",
    "by nothing": "The answer is 1/0.",
    "expression": "The answer is 9 * 2.",
    "expression in a box": r"\boxed{9 \times 2}",
    "expression alone": "9 * 2",
    "not": "The answer is not 18.",
    "taken back": "The answer is 18. No, that's wrong.",
    "waits": "The answer is 18. Wait, she eats three.",
    "question": "The answer is 18?",
    "if": "If the answer is 18, she eats nothing.",
    "whether": "We check whether the answer is 18.",
    "more than": "The answer is 5 more than what he had.",
    "percent of a number": "The final answer is 20% of $35, which is 0.2 x $35 = $6. She would pay $6 x 20 = $120.",
    "part of a number": "The answer is 1/2 of 10.",
    "years less than": "The final answer is 2 years less than twice his age, which is 2 - 2 = 1 year.",
    "times": "The answer is 3 times the price.",
    "at least": "So she needs at least 3.",
    "maybe": "So she makes maybe $18.",
    "asks": "9 * 2 = 18?",
    "goes on": "9 * 2 = 18. Now we subtract the costs.",
    "announces more": "She has 9 eggs left, so in total we get:",
    "placeholder": "The final answer is [answer]",
    "heading of a step": "#### 1. Count the eggs\nShe has a lot.",
    "label before reasoning": "Answer: Janet has 16 eggs and eats 3 of them.",
    "item of a list": "The numbers are\n1. eggs\n2. bread\n3",
    "summary of two": "Tom: 3\nAnna: 5",
}


@pytest.mark.parametrize(("text", "value"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_an_announced_number_is_read(text: str, value: str) -> None:
    extraction = read_number(text)

    assert extraction.value == value
    assert extraction.why


@pytest.mark.parametrize(("text", "value"), AT_THE_END.values(), ids=AT_THE_END)
def test_an_end_that_commits_is_read(text: str, value: str) -> None:
    assert read_number(text).value == value


@pytest.mark.parametrize("text", UNANSWERED.values(), ids=UNANSWERED)
def test_a_number_that_is_no_answer_is_not_taken(text: str) -> None:
    extraction = read_number(text)

    assert extraction.value is None
    assert extraction.why


HOSTILE = {
    "digits": "1",
    "groups": "1,000",
    "points": "1.",
    "slashes": "1/",
    "announcements": "the answer is 18. ",
    "announcements of nothing": "the answer is ",
    "answers to": "answer to the ",
    "boxes": r"\boxed{1} ",
    "boxes that never close": r"\boxed{",
    "hashes": "#### 1\n",
    "signs": "-",
    "equations": "9*2=18 ",
    "sums": "1 + ",
    "fractions": r"\frac{1}{",
    "annotations": "<<1=1",
    "bold": "**1",
    "scales": "million ",
    "words": "twenty-one ",
    "blank lines": "\n",
    "spaces": " ",
    "labels": "Total: 18\n",
    "currencies": "$",
    "units": "18 feet and ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        started = time.process_time()
        read_number(text)
        return time.process_time() - started

    half, whole = min(seconds(50_000) for _ in range(2)), min(seconds(100_000) for _ in range(2))

    # 0.05 s at most where this was written; the bounds are for a machine that is busy with other things
    assert seconds(1_000_000) < 1
    assert whole < 6 * half + 0.3
