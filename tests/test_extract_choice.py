"""What a careful reader takes for the answer to a multiple-choice question, and what nobody may take for one."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.benchmarks.extract_choice import extract_choice

LETTERS = "ABCDEFGHIJ"
OPTIONS = ("Paris", "London", "42", "4.5 m/s", "B cells", "hydrogen", "x^2 + 1", "None of these", "Because", "Rome")

NAMED = {
    "asked form": ("The answer is (C).", "C"),
    "bare": ("The answer is C", "C"),
    "bare, period": ("Hence the answer is C.", "C"),
    "lower-case words": ("the answer is (c)", "C"),
    "upper-case words": ("THE ANSWER IS (C)", "C"),
    "bold": ("The answer is **C**.", "C"),
    "bold with brackets": ("The answer is **(C)**.", "C"),
    "bold sentence": ("**The answer is (C)**", "C"),
    "italic": ("The answer is *C*.", "C"),
    "underscores": ("The answer is __C__.", "C"),
    "code": ("The answer is `C`.", "C"),
    "quoted": ('The answer is "C".', "C"),
    "curly quotes": ("The answer is \u201cC\u201d.", "C"),
    "boxed": (r"So we get \boxed{C}", "C"),
    "boxed text": (r"\boxed{\text{C}}.", "C"),
    "boxed brackets": (r"$$\boxed{(C)}$$", "C"),
    "answer is boxed": (r"The answer is $\boxed{C}$.", "C"),
    "boxed bold": (r"\boxed{\textbf{(C)}}", "C"),
    "boxed mathrm": (r"The final answer is $\boxed{\mathrm{C}}$", "C"),
    "boxed letter and text": (r"\boxed{C. 42}", "C"),
    "dollars": ("The answer is $C$.", "C"),
    "text in dollars": (r"The answer is $\text{C}$.", "C"),
    "paren math": (r"The answer is \(C\).", "C"),
    "colon": ("Answer: C", "C"),
    "colon bold": ("**Answer:** C", "C"),
    "colon bold inside": ("**Answer: C**", "C"),
    "upper-case colon": ("ANSWER: C", "C"),
    "inspect's letter": ("ANSWER: $C$", "C"),
    "final answer": ("Final answer: (C)", "C"),
    "final answer is": ("Thus, the final answer is: C.", "C"),
    "heading": ("### Final Answer\n\n**C**", "C"),
    "heading, bracket": ("## Answer\n(C) 42", "C"),
    "answer bracket": ("Answer (C)", "C"),
    "html": ("<answer>C</answer>", "C"),
    "newline after is": ("The answer is:\n\n**C**", "C"),
    "adverb": ("The answer is therefore (C).", "C"),
    "adverb before": ("The answer, therefore, is (C).", "C"),
    "option C": ("The answer is option C.", "C"),
    "Option C": ("The correct answer is **Option C**.", "C"),
    "correct option": ("The correct option is C.", "C"),
    "best choice": ("The best choice is (C).", "C"),
    "answer choice": ("The correct answer choice is C", "C"),
    "option called correct": ("Option C is correct.", "C"),
    "option is the answer": ("Therefore, option (C) is the correct answer.", "C"),
    "chosen": ("I would choose option C.", "C"),
    "letter and text": ("The answer is (C) 42.", "C"),
    "letter, period, text": ("The answer is C. 42", "C"),
    "letter, colon, text": ("The answer is C: 42", "C"),
    "letter, dash, text": ("The answer is C \u2014 42", "C"),
    "because": ("The answer is C because 6 times 7 is 42.", "C"),
    "answer A because": ("Answer: A because it is the capital.", "A"),
    "letter I": ("The answer is (I).", "I"),
    "bare I": ("The answer is I.", "I"),
    "bare A": ("The answer is A.", "A"),
    "text for letter": ("The answer is Paris.", "A"),
    "text for letter, sentence": ("The answer is London. It lies on the Thames.", "B"),
    "text, number": ("The answer is 42.", "C"),
    "text, decimal": ("The answer is 4.5 m/s", "D"),
    "text, boxed": (r"\boxed{42}", "C"),
    "text, boxed words": (r"\boxed{\text{None of these}}.", "H"),
    "text beginning like a letter": ("The answer is B cells.", "E"),
    "correction": ("The answer is (A). Wait, I misread. The answer is (C).", "C"),
    "correction in the sentence": ("The answer is (A), no, the answer is (C)", "C"),
    "last of two forms": ("Answer: A\n\nOn reflection the answer is (C).", "C"),
    "asked form outranks praise": ("The answer is (C). Option A is correct about the date.", "C"),
    "next question invented": ("The answer is (C).\n\nQuestion: What is 2+2?\nThe answer is (A).", "C"),
    "next question, numbered": ("The answer is (C).\n\n## Question 2: And now?\nAnswer: A", "C"),
    "question restated first": ("Question: Which?\nLet's think. The answer is (C).", "C"),
    "answer twice": ("Answer:\n\nAnswer: C", "C"),
    "elimination first": ("The answer is not B. The answer is not A. So the answer is (C).", "C"),
    "hypothesis first": ("If the answer is (A), x is 3, which it is not, so the answer is (C).", "C"),
    "negation elsewhere": ("This is not a metal, so the answer is (C).", "C"),
    "not and both": ("It is not ionic and the answer is (C).", "C"),
    "thought so": ("I think the answer is (C).", "C"),
    "only a letter": ("C", "C"),
    "only a letter, brackets": ("(C)", "C"),
    "only a letter, period": ("C.", "C"),
    "only a letter, bold": ("**C**", "C"),
    "only a letter, padded": ("\n\n C \n", "C"),
    "first line": ("C\n\nThe product of 6 and 7 is 42.", "C"),
    "last line, marked": ("6 times 7 gives it.\n\n**C**", "C"),
    "only letter and text": ("C. 42", "C"),
    "only bracket and text": ("(B) London", "B"),
    "only the text": ("Paris", "A"),
    "CRLF": ("So:\r\nThe answer is (C).\r\n", "C"),
    "or after the answer": ("The answer is (C), or 42 in other words.", "C"),
}

NOT_NAMED = {
    "empty": "",
    "prose": "I am not sure about this one.",
    "pronoun": "I think that I would need a calculator.",
    "answer is I think": "The answer is I think unclear.",
    "article": "The answer is a strong acid.",
    "article, capital": "Answer: A strong acid gives up its proton.",
    "adverb": "The answer is approximately nine.",
    "Because": "Answer: Because it rains.",
    "First": "Answer: First we add, then we divide.",
    "Given": "Answer: Given the data, it is unclear.",
    "clearly": "The answer is clearly visible.",
    "word": "The answer is Berlin.",
    "unit": "The answer is 25 C",
    "ampere": "The current is 5 A",
    "letter in prose": "Vitamin C and hepatitis B and plan A",
    "statement": "Statement A is correct while statement B is false.",
    "variable": "The answer is F = ma",
    "isotope": "The answer is C-14",
    "vitamin": "The answer is B12",
    "name": "The answer is A.I. research",
    "eliminated": "The answer is not B",
    "eliminated, short": "The answer isn't B.",
    "eliminated option": "Option B is not correct.",
    "eliminated, incorrect": "Option B is incorrect, so is option C.",
    "doubted": "I do not think the answer is (B).",
    "denied": "It is not true that the answer is B.",
    "hypothetical": "Let us see whether the answer is (B)",
    "asked back": "Is the answer (B)?",
    "tentative": "So the answer is B?",
    "neither": "The answer is neither A nor B",
    "two": "The answer is (A) or (B).",
    "two, bare": "The answer is A and B.",
    "two, comma": "Answer: A, C",
    "two, slash": "The answer is A/B",
    "either": "The answer is either A or B.",
    "two boxed": r"\boxed{A, B}",
    "roman": "The answer is (I) and (II)",
    "two in one sentence": "The answer is (A) and the answer is (B).",
    "outside": "The answer is (K).",
    "outside last": "The answer is (A). Wait. The answer is (Z).",
    "options repeated": "(A)\n(B)\n(C)\n(D)",
    "options listed": "A. Paris\nB. London\nC. 42",
    "cut off": "The capital is meant.\nA",
    "ambiguous text": "The answer is blue.",
    "boxed number": r"\boxed{17}",
    "boxed symbol": r"\boxed{F = 3}",
    "boxed index": r"\boxed{A_1}",
    "refusal": "I can't help with that.",
    "depends": "The answer depends on whether it is A or B",
    "answer key": "The answer key says B.",
}


@pytest.mark.parametrize(("text", "letter"), NAMED.values(), ids=NAMED)
def test_a_committed_answer_is_found(text: str, letter: str) -> None:
    assert extract_choice(text, LETTERS, OPTIONS).value == letter


@pytest.mark.parametrize("text", NOT_NAMED.values(), ids=NOT_NAMED)
def test_nothing_is_guessed(text: str) -> None:
    found = extract_choice(text, LETTERS, OPTIONS)

    assert found.value is None
    assert found.why


def test_a_text_that_two_options_share_names_neither() -> None:
    assert extract_choice("The answer is blue.", "ABC", ("blue", "red", "Blue")).value is None


def test_two_answers_in_one_sentence_are_told() -> None:
    assert "more than one" in extract_choice("The answer is (A) or (B).", LETTERS).why


def test_a_letter_this_question_does_not_have_is_told() -> None:
    assert "none of this question's options" in extract_choice("The answer is (J).", "ABCD").why


@given(prose=st.text(max_size=300), letter=st.sampled_from(LETTERS), form=st.sampled_from(["({})", "{}", "**{}**"]))
@example(prose="It is not", letter="A", form="{}")
def test_the_asked_form_is_found_after_any_prose(prose: str, letter: str, form: str) -> None:
    text = f"{prose}\nThe answer is {form.format(letter)}."

    assert extract_choice(text, LETTERS).value == letter


@given(
    text=st.lists(
        st.sampled_from(
            ["The answer is ", "(", ")", "\\boxed{", "}", "K", "Z", "D", "C", "A", " or ", ". ", "\n", "Option "]
        )
    ).map("".join),
    letters=st.sampled_from(["ABC", "ABCD", "AB"]),
)
def test_no_letter_is_ever_taken_that_is_no_option(text: str, letters: str) -> None:
    assert extract_choice(text, letters).value in {*letters, None}


HOSTILE = {
    "anchors": "answer",
    "announcements": "The answer is ",
    "spaces": " ",
    "answer and spaces": "answer" + " " * 50,
    "boxes": "\\boxed{",
    "fonts": "\\text{",
    "braces": "}",
    "newlines": "\n",
    "questions": "\nQuestion",
    "letters": "A ",
    "commitments": "The answer is (A)",
    "not": "not the ",
    "options": "Option A ",
    "stars": "*",
    "brackets": "((",
    "one line of quotes": "'",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        started = time.process_time()
        extract_choice(text, LETTERS, OPTIONS)
        return time.process_time() - started

    half, whole = min(seconds(500_000) for _ in range(2)), min(seconds(1_000_000) for _ in range(2))

    assert whole < 0.5
    assert whole < 6 * half + 0.05
