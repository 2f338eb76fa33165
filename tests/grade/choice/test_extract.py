"""What a careful reader takes for the answer to a multiple-choice question, and what nobody may take for one."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.grade.choice.extract import read_letter

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
    "hypothesis behind it": ("So the answer is (A). If x were negative, the answer would be (B).", "A"),
    "supposition behind it": ("The answer is (A). Suppose it were cold. Then the answer would be (B).", "A"),
    "otherwise": ("The answer is (A); otherwise the answer would be (B).", "A"),
    "would be": ("Therefore, the correct answer would be (C).", "C"),
    "should be": ("So the answer should be **C**.", "C"),
    "denied, then another": ("Answer: (A) is incorrect, as shown. Answer: (C)", "C"),
    "mistake told behind it": ("The answer is (C). A common mistake is to think the answer is (B).", "C"),
    "others might say": ("The answer is (C). One might think that the answer is (B).", "C"),
    "bracket is the answer": ("(C) is the correct answer.", "C"),
    "bold is correct": ("**C** is correct.", "C"),
    "so C is correct": ("6 times 7 is 42, so C is correct.", "C"),
    "therefore is the answer": ("Therefore, (C) is the answer.", "C"),
    "is the best choice": ("A and B do not fit. Hence **(C)** is the most appropriate choice.", "C"),
    "is the right answer": ("Option C is the right answer", "C"),
    "choice is correct": ("Choice (C) is correct.", "C"),
    "article is correct": ("Thus A is correct.", "A"),
    "asked outranks correct": (
        "(C) is the correct answer. In the past, **B** was taught. A is correct for gases.",
        "C",
    ),
    "correct option, bold text": ("Therefore, the correct option is: **(C) 42**", "C"),
    "correct option, other text": ("Therefore, the correct option is: **(G) text**", "G"),
    "hyphen and text": ("The answer is (A) - Paris", "A"),
    "hyphen, bare": ("The answer is C - 42", "C"),
    "dollars and box": (r"$\boxed{(D)}$", "D"),
    "box, bold": (r"\boxed{\textbf{D}}", "D"),
    "box, spaces": (r"\boxed{ D }", "D"),
    "box, option": (r"\boxed{\text{Option D}}", "D"),
    "box, answer": (r"\boxed{\text{Answer: D}}", "D"),
    "box, old font": (r"\boxed{\bf D}", "D"),
    "box, contest style": (r"$\boxed{\textbf{(C)}\ 42}$", "C"),
    "box, text with bracket": (r"$\boxed{\text{(C) } 42}$", "C"),
    "box, half bracket": (r"\boxed{C)}", "C"),
    "display box": ("The final answer is:\n$$\n\\boxed{C}\n$$", "C"),
    "display bracket box": ("\\[\n\\boxed{\\text{C}}\n\\]", "C"),
    "bold math": (r"Answer: $\mathbf{E}$", "E"),
    "half bracket": ("the answer is C) 42", "C"),
    "half bracket, bold": ("The correct answer is: **C) 42**", "C"),
    "letter, period, text, bold": ("The correct answer is **C. 42**.", "C"),
    "best": ("The best answer is F.", "F"),
    "therefore": ("The answer is therefore B.", "B"),
    "indeed": ("So the answer is indeed (C).", "C"),
    "final answer twice": (r"Final Answer: The final answer is $\boxed{I}$", "I"),
    "upper-case J": ("ANSWER: J", "J"),
    "blank line": ("Answer:\n\nC", "C"),
    "blank line, is": ("The answer is\n\n(C)", "C"),
    "heading, colon, bold": ("### Answer: **C**", "C"),
    "check mark": ("\u2705 **Answer: C**", "C"),
    "bold twice": ("**Answer:** **C**", "C"),
    "final answer, bold head": ("**Final Answer:** (C)", "C"),
    "correct answer, colon": ("Correct Answer: C", "C"),
    "correct option, colon": ("**Correct option: C**", "C"),
    "square bracket": ("Answer: [C]", "C"),
    "hyphen for colon": ("Answer - C", "C"),
    "arrow": ("Answer \u2192 C", "C"),
    "equals": ("Answer = C", "C"),
    "full-width": ("Answer\uff1a\uff08C\uff09", "C"),
    "chat template left": ("The answer is C<|im_end|>", "C"),
    "end of sequence left": ("Answer: C</s>", "C"),
    "not another": ("The answer is (C), not (B).", "C"),
    "rather than another": ("The answer is (C) rather than (B).", "C"),
    "and not another": ("The answer is (C) and not (B).", "C"),
    "letter and comma": ("The answer is C, 42.", "C"),
    "letter and brackets": ("The answer is (C) (42).", "C"),
    "option and colon": ("Thus the correct answer is option **C**: 42", "C"),
    "must be": ("The answer must be (C).", "C"),
    "my answer": ("So, my final answer is C.", "C"),
    "to the question": ("The correct answer to the question is C.", "C"),
    "two hypotheses behind it": (
        "The answer is (C).\n\nIf it were 10 %, the answer would be (B), and if 20 %, the answer is (D).",
        "C",
    ),
    "would be, concluded": ("If we multiply we get 42, so the answer would be (C).", "C"),
    "letter, text, is the answer": ("Therefore, **(C) 42** is the correct answer.", "C"),
    "explanation lists the others": ("Answer: C\n\nExplanation:\nA. Paris is wrong.\nB. London is wrong.", "C"),
    "praise only if": ("The answer is C. Option (A) is the best choice only if x is 3.", "C"),
    "beside, then mentioned": ("The answer is (C). Answer (A) could be tempting.", "C"),
    "inserted": ("The answer, based on the above, is (C).", "C"),
    "closest": ("The closest option is (C).", "C"),
    "option in brackets": ("The answer is 42.5 (option C).", "C"),
    "among the options": ("The correct answer among the given options is (C).", "C"),
    "of the choices": ("The best answer of the choices is C.", "C"),
    "text, then its letter": ("The answer is 4.5 m/s, which corresponds to option (D).", "D"),
    "text, which is": ("The answer is 17/4 (about 4.2), which is option D.", "D"),
    "if I remember": ("The answer is (C), if I remember right.", "C"),
    "sorry first": ("I'm sorry, I misread it. The answer is (C).", "C"),
    "list eliminated": ("- A is incorrect.\n- B is incorrect.\n- C is correct.", "C"),
    "marked in a list": ("**A** is wrong.\n**C** is correct because 6 times 7 is 42.\n", "C"),
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
    "hypothesis only": "If x were negative, the answer would be (B).",
    "otherwise only": "Otherwise the answer would be (B).",
    "would be, if": "The answer would be (B) if x were negative.",
    "conditions": "The answer is (A) if x is positive and (B) otherwise.",
    "when": "The answer is (A) when x is even, (B) when it is odd.",
    "wrong letter, other text": "(A) is wrong and 42 is the correct answer.",
    "not only": "Not only C is correct.",
    "unless": "The answer is (A) unless x is zero.",
    "denied behind it": "Answer: (A) is incorrect, so (B)",
    "denied answer": "The answer (A) is wrong.",
    "denied with isn't": "Answer (A) isn't right.",
    "which is wrong": "Their answer is (A), which is wrong.",
    "tempting": "Answer (B) is tempting.",
    "not (C)": "The answer is not (C)",
    "cannot": "the answer cannot be D",
    "can't": "The answer can't be (D).",
    "might be": "I believe the answer might be B or C",
    "might be one": "The answer might be B.",
    "could be": "The answer could be (B).",
    "would have been": "The answer would have been (B).",
    "mistake": "A common mistake is to think that the answer is (B).",
    "might think": "One might think the answer is (B).",
    "listed in a line": "A. foo B. bar",
    "all wrong": "(A) is wrong, (B) is wrong",
    "between": "the answer is between A and B",
    "I don't know": "The answer is I don't know",
    "I cannot": "Answer: I cannot tell.",
    "matter of fact": "The answer is a matter of fact",
    "three": "The answer is A, B, and C.",
    "two options": "The correct options are (A) and (C).",
    "both": "Both A and B are correct.",
    "neither is correct": "Neither (A) nor (B) is correct.",
    "either is correct": "Either (A) or (B) is correct.",
    "(C) is not correct": "(C) is not correct.",
    "(C) is incorrect": "(C) is incorrect.",
    "is (C) correct": "Is (C) correct?",
    "(C) is correct?": "So (C) is correct?",
    "if (C) is correct": "If (C) is correct, then x is 3.",
    "whether C is correct": "I am not sure whether C is correct.",
    "not that C is correct": "I do not think that (C) is correct.",
    "claims that C is correct": "The student claims that C is correct.",
    "said that C is the answer": "Somebody said that (C) is the answer.",
    "correct but": "(C) is correct, but it is not what was asked.",
    "correct for": "C is correct for gases.",
    "best conductor": "C is the best conductor.",
    "right triangle": "So C is right angled.",
    "statements": "A is correct. B is wrong. C is correct.",
    "options in turn": "Option A is correct. Option B is correct. Option C is wrong.",
    "statement C": "Statement C is correct.",
    "vitamin C is": "Vitamin C is the answer to scurvy.",
    "options under a heading": "Choose the right answer:\n(A) Paris\n(B) London\n(C) 42",
    "options under a bold heading": "**Answer:**\nA. Paris\nB. London",
    "elements": "The answer is C = 12",
    "music": "The answer is C major",
    "language": "The answer is C++",
    "not available": "Answer: N/A",
    "placeholder": 'I will end with "the answer is (X)".',
    "part (A)": "The answer to part (A) is 5.",
    "see (B)": "Answer: see (B).",
    "boxed two": r"\boxed{A} \text{ and } \boxed{B}",
    "boxed equation": r"\boxed{A = \pi r^2}",
    "boxed word": r"\boxed{Berlin}",
    "no answer": "There is no correct answer (A typing error, probably).",
    "all options": "All of A, B and C are right.",
    "I is": "I is the current in the wire.",
}


@pytest.mark.parametrize(("text", "letter"), NAMED.values(), ids=NAMED)
def test_a_committed_answer_is_found(text: str, letter: str) -> None:
    assert read_letter(text, LETTERS, OPTIONS).value == letter


@pytest.mark.parametrize("text", NOT_NAMED.values(), ids=NOT_NAMED)
def test_nothing_is_guessed(text: str) -> None:
    extraction = read_letter(text, LETTERS, OPTIONS)

    assert extraction.value is None
    assert extraction.why


def test_a_text_that_two_options_share_names_neither() -> None:
    assert read_letter("The answer is blue.", "ABC", ("blue", "red", "blue")).value is None


def test_texts_that_differ_in_case_only_are_told_apart_by_it() -> None:
    options = ("Hh", "HH", "hH")

    assert read_letter("The answer is HH.", "ABC", options).value == "B"
    assert read_letter("The answer is hh.", "ABC", options).value is None


def test_two_answers_in_one_sentence_are_told() -> None:
    assert "more than one" in read_letter("The answer is (A) or (B).", LETTERS).why


def test_a_letter_this_question_does_not_have_is_told() -> None:
    assert "none of this question's options" in read_letter("The answer is (J).", "ABCD").why


@given(prose=st.text(max_size=300), letter=st.sampled_from(LETTERS), form=st.sampled_from(["({})", "{}", "**{}**"]))
@example(prose="It is not", letter="A", form="{}")
def test_the_asked_form_is_found_after_any_prose(prose: str, letter: str, form: str) -> None:
    text = f"{prose}\nThe answer is {form.format(letter)}."

    assert read_letter(text, LETTERS).value == letter


@given(
    text=st.lists(
        st.sampled_from(
            ["The answer is ", "(", ")", "\\boxed{", "}", "K", "Z", "D", "C", "A", " or ", ". ", "\n", "Option "]
        )
    ).map("".join),
    letters=st.sampled_from(["ABC", "ABCD", "AB"]),
)
def test_no_letter_is_ever_taken_that_is_no_option(text: str, letters: str) -> None:
    assert read_letter(text, letters).value in {*letters, None}


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
    "praise": "(C) is the correct answer",
    "praise announced": " is the best",
    "verbs": " is the",
    "hypotheses": "if it were the answer is ",
    "texts said first": "answer: 4.5 m/s or the like",
    "options under a heading": "answer:\nA",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        started = time.process_time()
        read_letter(text, LETTERS, OPTIONS)
        return time.process_time() - started

    half, whole = min(seconds(500_000) for _ in range(2)), min(seconds(1_000_000) for _ in range(2))

    assert whole < 0.5
    assert whole < 6 * half + 0.3
