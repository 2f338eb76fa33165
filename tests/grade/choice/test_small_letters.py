"""Small letters count where nothing but an option's letter can stand, and nowhere else."""

import time
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.benchmarks import mmlu_pro
from evaluator.grade.choice.extract import read_letter
from tests.support import choice_forms, choice_material

LETTERS = "ABCDEFGHIJ"
OPTIONS = ("Paris", "London", "42", "4.5 m/s", "B cells", "hydrogen", "x^2 + 1", "None of these", "Because", "Rome")

READ = {
    "colon": ("answer: b", "B"),
    "capitals and colon": ("ANSWER: b", "B"),
    "final answer": ("Final answer: c", "C"),
    "is, full stop": ("The correct answer is d.", "D"),
    "is": ("the answer is d", "D"),
    "is, bracket": ("The answer is (b).", "B"),
    "is, half a bracket": ("the answer is b).", "B"),
    "square bracket": ("the answer is [c]", "C"),
    "two square brackets": ("Answer: [[c]]", "C"),
    "only bracket": ("(c)", "C"),
    "only letter": ("d", "D"),
    "only letter, full stop": ("d.", "D"),
    "only letter, half a bracket": ("d)", "D"),
    "only bold": ("**b**", "B"),
    "only bold, HTML": ("<b>b</b>", "B"),
    "only option": ("option c", "C"),
    "first line": ("c\n\n6 times 7 is 42.", "C"),
    "last line, bracket": ("6 times 7 is 42.\n\n(c)", "C"),
    "boxed": (r"$\boxed{d}$", "D"),
    "boxed text": (r"\boxed{\text{d}}", "D"),
    "boxed bracket": (r"Thus \boxed{(d)}.", "D"),
    "dollars": ("ANSWER: $b$", "B"),
    "quoted": ('The answer is "c".', "C"),
    "JSON": ('{"answer": "b"}', "B"),
    "JSON, more keys": ('{"answer": "b", "confidence": 0.9}', "B"),
    "JSON, fenced": ('```json\n{\n  "answer": "c"\n}\n```', "C"),
    "tags": ("<answer>b</answer>", "B"),
    "heading": ("### Answer\n\nc", "C"),
    "table": ("| answer | b |", "B"),
    "option called correct": ("Option b is correct.", "B"),
    "choice called the answer": ("so choice c is the right answer", "C"),
    "letter called the answer": ("Therefore, c is the correct answer.", "C"),
    "bracket called the answer": ("(d) is the correct answer.", "D"),
    "bold called the answer": ("**d** is the correct answer.", "D"),
    "correct option": ("the correct option is b", "B"),
    "answer is option": ("the answer is option b.", "B"),
    "option best": ("option c best describes it", "C"),
    "chosen": ("i choose b.", "B"),
    "going with": ("i'd go with option c.", "C"),
    "picked": ("I pick c", "C"),
    "thought": ("i believe it's b.", "B"),
    "left": ("that rules out the others, leaving b as the answer.", "B"),
    "reason": ("the answer is b because 6 times 7 is 42", "B"),
    "reason, comma": ("the answer is c, since 6 times 7 is 42.", "C"),
    "not another": ("the answer is (c), not (b).", "C"),
    "not one but another": ("the answer is not b but c.", "C"),
    "sentence behind": ("the answer is b. this follows from the first line.", "B"),
    "letter and text": ("b) London", "B"),
    "letter, full stop and text": ("b. london", "B"),
    "announced with text": ("the answer is c) 42", "C"),
    "announced, dash and text": ("answer: b - London", "B"),
    "text and letter": ("The answer is 42 (c).", "C"),
    "text, which is an option": ("the answer is 42, which is option c.", "C"),
    "closing bracket": ("The most likely value is (c).", "C"),
    "closing text": ("So the capital of England is b) London", "B"),
    "full-width": ("答案是ｂ", "B"),
    "worked through in small letters": ("a) no\nb) no\nc) yes\n\nanswer: c", "C"),
    "corrected": ("The answer is (b). Wait, that is wrong. The answer is c.", "C"),
    "a: colon, line ends": ("answer: a", "A"),
    "a: bracket": ("the answer is (a)", "A"),
    "a: only bracket": ("(a)", "A"),
    "a: bold": ("The answer is **a**", "A"),
    "a: only bold": ("**a**", "A"),
    "a: boxed": (r"\boxed{a}", "A"),
    "a: JSON": ('{"answer": "a"}', "A"),
    "a: sentence ends": ("The correct answer is a.", "A"),
    "a: option": ("option a is correct", "A"),
    "a: an explanation behind": ("the answer is a\n\n6 times 7 is 42.", "A"),
    "a: text": ("a) paris", "A"),
    "i: colon, line ends": ("Answer: i", "I"),
    "i: boxed": (r"\boxed{i}", "I"),
    "German": ("Die richtige Antwort ist b.", "B"),
    "German, colon": ("Antwort: c", "C"),
    "German, option": ("Antwort: Option d", "D"),
    "French": ("La bonne réponse est c.", "C"),
    "French, bracket": ("La réponse est (b).", "B"),
    "Spanish": ("La respuesta correcta es d.", "D"),
    "Spanish, colon": ("Respuesta: b", "B"),
    "Italian": ("La risposta corretta è c.", "C"),
    "Portuguese": ("A resposta correta é a letra b.", "B"),
    "Dutch": ("Het juiste antwoord is d.", "D"),
    "Polish": ("Prawidłowa odpowiedź to b.", "B"),
    "Russian": ("Ответ: c", "C"),
    "Chinese": ("所以答案是c。", "C"),
    "Japanese": ("正解は b です。", "B"),
    "Korean": ("정답: d", "D"),
    "Vietnamese": ("Đáp án: b", "B"),
}

TRAPS = {
    "article, value": "The answer is a lower value than before.",
    "article, bit": "the answer is a bit more involved",
    "article, at the end": "the answer is a",
    "article, number": "answer: a number near 5",
    "article, on the next line": "The answer:\n\na number near 5",
    "article, line broken": "the answer is a\nnumber near 5",
    "article, blank at the end": "the answer is a\n\n",
    "article, cut off": "The answer is a...",
    "article, quoted": 'The answer is "a" or "an".',
    "article, option": "option a is to wait",
    "article, choice": "the best choice a person can make",
    "article, in a list of words": "answer: a, an, the",
    "only an article": "a",
    "only a pronoun": "i",
    "pronoun": "i think i cannot answer this.",
    "pronoun, announced": "answer: i think i cannot say",
    "pronoun, is": "the answer is i do not know",
    "pronoun, choice": "the choice i would make is another one",
    "German article": "Die Antwort ist ein bisschen anders.",
    "German, d. h.": "Die Antwort ist d. h. eine andere",
    "German, z. B.": "Die Lösung ist z. b. eine andere",
    "French a": "La réponse a été donnée.",
    "French à": "La réponse est à chercher dans le texte.",
    "French elided": "La réponse est d'aller voir.",
    "French c'est": "La réponse : c'est compliqué",
    "Spanish a": "La respuesta es a veces difícil.",
    "Spanish e": "La respuesta: e incluso así",
    "Spanish y": "Respuesta: y ahora",
    "Italian e": "La risposta è e rimane incerta.",
    "Italian a": "La risposta è a volte difficile.",
    "Italian i": "La risposta: i numeri primi",
    "Portuguese a": "A resposta é a seguinte",
    "Portuguese a, at the end": "A resposta é a",
    "Portuguese e": "A resposta é e continua",
    "Polish a": "Odpowiedź to a nie",
    "Polish i": "Odpowiedź: i tak dalej",
    "Swedish i": "Svaret är i boken",
    "list": "a) first\nb) second\nc) third",
    "list in a line": "We need a) a pan and b) an egg.",
    "list under a heading": "Answer:\na) Paris\nb) London",
    "list under a heading, brackets": "Answer:\n(a)\n5 V\n(b)\n3 V",
    "list, half a bracket": "answer: a)\n5 V\nb)\n3 V",
    "list of letters": "answer:\nb\nc\nd",
    "list, full stops": "Answer:\na. 5 V\nb. 3 V",
    "list, cut off": "a) Paris\nb)",
    "list, last item": "first (a) and then\n(b)",
    "parts": "The answer is (a) 5 V and (b) 3 V.",
    "parts without brackets": "answer: a) 5 V b) 3 V",
    "part": "The answer to part b is 5.",
    "parts, last": "(a) is 5 V. The value of the other is (b).",
    "Roman numeral": "The only true statement is (i).",
    "equation": "Answer: c = 3",
    "equation, is": "the answer is c = 3",
    "boxed equation": r"\boxed{c = 3}",
    "boxed power": r"\boxed{c}^2",
    "boxed sum": r"\boxed{b} + 1",
    "product": "The answer is b \u00d7 c",
    "sum": "the answer is a + b",
    "difference": "the answer is b - a",
    "quotient": "the answer is b/c",
    "function": "The answer is f(x).",
    "fraction": r"The answer is $\frac{a}{b}$",
    "variable, explained": "the answer is c, the speed of light",
    "variable, in brackets behind": "the answer is c (the speed of light)",
    "variable, described": "Here c is the speed of light and e is the charge.",
    "variables": "the answer is e, h and g",
    "unit": "The answer is 5 g.",
    "unit, alone": "the answer: 12 h",
    "unit, behind the number": "answer: 3 d",
    "vitamin": "The answer is vitamin d.",
    "hepatitis": "the answer is hepatitis b.",
    "grade": "the best grade is b",
    "point": "the answer is point c on the line",
    "angle": "The answer is the angle at b.",
    "plan": "They should go with plan b.",
    "company": "i would go with company c.",
    "bacterium": "The answer is e. coli",
    "worm": "the answer is c. elegans",
    "hyphen": "The answer is e-mail",
    "hyphen, decay": "the answer is b-decay",
    "apostrophe": "the answer is d'Alembert's",
    "plural": "the answer is b's",
    "that is": "the answer is i.e. nothing",
    "for example": "answer: e.g. a loan",
    "programming language": "the answer is c++",
    "musical note": "The answer is c major",
    "musical note, sharp": "The answer is f#",
    "minor": "the answer is e minor",
    "several": "the answer is b or c",
    "several, and": "answer: b and c",
    "several, comma": "answer: b, c",
    "several, slash": "answer: b/c",
    "several, brackets": "The answer is (b) or (c).",
    "several, one in brackets": "The answer is (b) or c.",
    "several, one in brackets, and": "The answer is (b) and c",
    "contradicted": "The answer is (a).\nanswer: b",
    "several, quoted": 'The answer is "b" or "c".',
    "several, Chinese": "答案是b或c。",
    "several, German": "Die Antwort ist b oder c.",
    "several lines": "answer: b\nanswer: c",
    "denied": "the answer is not b",
    "denied behind": "the answer is b, which is not correct",
    "denied option": "option b is not correct",
    "asked": "the answer is b?",
    "asked whether": "is the answer b?",
    "range": "answer choices a to d",
    "taken back": "the answer is b. wait, that is wrong.",
    "outside": "answer: k",
    "template": "answer: x",
    "next question": "c is the speed.\n\nQuestion: Which?\nAnswer: b",
    "word cut off": "We multiply, and get 4 s.\nh",
}


BOTH = [pytest.param(OPTIONS, id="texts-known"), pytest.param((), id="texts-unknown")]
SMALL = {letter: letter.lower() for letter in LETTERS}


@pytest.mark.parametrize(
    ("text", "letter", "options"),
    [
        pytest.param(text, letter, options, id=f"{name}-{len(options)}-texts")
        for name, (text, letter) in READ.items()
        for options in (OPTIONS, ())
        if options or not any(option.lower() in text.lower() for option in OPTIONS)
    ],
)
def test_a_committed_small_letter_is_found(text: str, letter: str, options: tuple[str, ...]) -> None:
    assert read_letter(text, LETTERS, options).value == letter


@pytest.mark.parametrize("options", BOTH)
@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_a_small_letter_that_may_be_anything_else_is_not(text: str, options: tuple[str, ...]) -> None:
    extraction = read_letter(text, LETTERS, options)

    assert extraction.value is None
    assert extraction.why


FORMS = (
    "answer: {}",
    "The answer is ({}).",
    "The correct answer is {}.",
    "**{}**",
    "({})",
    "{})",
    r"\boxed{{{}}}",
    "Option {} is correct.",
    "choice {} is the right answer",
    '{{"answer": "{}"}}',
    "<answer>{}</answer>",
    "Die richtige Antwort ist ({}).",
    "Respuesta: {}",
    "La réponse est {}.",
)


@given(form=st.sampled_from(FORMS), letter=st.sampled_from(LETTERS), count=st.integers(3, 10), texts=st.booleans())
def test_a_small_letter_is_the_capital_where_it_is_committed(form: str, letter: str, count: int, texts: bool) -> None:
    letters, options = LETTERS[:count], OPTIONS[:count] if texts else ()
    capital = read_letter(form.format(letter), letters, options).value

    assert read_letter(form.format(letter.lower()), letters, options).value == capital


@given(
    prose=st.text(max_size=300),
    letter=st.sampled_from("BCDEFGHJ"),
    form=st.sampled_from(["answer: {}", "The answer is ({}).", "The answer is **{}**.", "the correct answer is {}."]),
)
def test_the_asked_form_in_small_letters_is_found_after_any_prose(prose: str, letter: str, form: str) -> None:
    if "question" not in prose.lower():
        assert read_letter(f"{prose}\n{form.format(letter.lower())}", LETTERS).value == letter


@given(
    text=st.lists(st.sampled_from([*"abcdeik", "The answer is ", "answer: ", "(", ")", "\n", ". ", " or ", "option "]))
)
def test_no_small_letter_is_taken_that_is_no_option(text: list[str]) -> None:
    assert read_letter("".join(text), "ABC").value in {*"ABC", None}


@given(
    before=st.lists(
        st.sampled_from(["answer: b. ", "option c is correct. ", "**d**\n", "a ", "b) ", "i think ", "\n", "Wait, "])
    ),
    letter=st.sampled_from("FGH"),
)
def test_a_capital_that_is_announced_outweighs_small_letters(before: list[str], letter: str) -> None:
    assert read_letter(f"{''.join(before)}\nTherefore, the answer is {letter}.", LETTERS).value == letter


def test_a_letter_that_is_another_options_text_says_neither() -> None:
    speeds = ("2c", "c", "c/2", "0")

    assert read_letter("The answer is c.", "ABCD", speeds).value is None
    assert read_letter("answer: b", "ABCD", speeds).value == "B"
    assert read_letter("answer: b", "ABCD", ("a", "b", "c", "d")).value == "B"


def lowered(question: Any, letter: str, rng: Any) -> dict[str, str]:
    """Give the pieces of a self-made reply, its letters small."""
    pieces = choice_material.material(question, letter, rng)
    return {name: text.lower() if name in {"L", "M", "N", "Z", "wide"} else text for name, text in pieces.items()}


def test_the_table_of_forms_in_small_letters_holds_no_invention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice_forms, "material", lowered)
    read = written = 0

    for reply in islice(choice_forms.replies(), 0, None, 7):
        value = mmlu_pro.extract(reply.text, reply.letters, reply.options).value
        assert value in {reply.expected, None} or (len(reply.text) < 10 and "I" in reply.options), reply
        written += reply.expected is not None
        read += value is not None

    assert read > 0.95 * written


def prose() -> list[str]:
    """Give what people wrote and no one answered: questions, and their options one a line and as a sentence."""
    questions = islice(mmlu_pro.load(shots=0), 0, None, 25)
    return [
        text
        for question in questions
        for text in (choice_material.asked(question), " ".join(question.options), "\n".join(question.options))
    ]


def test_prose_holds_no_small_letter_that_counts() -> None:
    read = {text: value for text in prose() if (value := read_letter(text.lower(), LETTERS).value)}

    assert read == {}


HOSTILE = {
    "announced": "answer: b ",
    "announced with text": "answer: b) x ",
    "options": "option b ",
    "letters": "b ",
    "lines": "b\n",
    "lists": "a) ",
    "parts": "(a) ",
    "bold": "**b** ",
    "half bold": "**b",
    "chosen": "choose b ",
    "left": "leaving b ",
    "headings": "answer:\nb\n",
    "boxes": "\\boxed{b",
    "other languages": "Die Antwort: b) x",
    "Chinese": "答案是b",
}


@pytest.mark.parametrize("options", BOTH)
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_of_small_letters_takes_linear_time(piece: str, options: tuple[str, ...]) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        started = time.process_time()
        read_letter(text, LETTERS, options)
        return time.process_time() - started

    half, whole = min(seconds(500_000) for _ in range(2)), min(seconds(1_000_000) for _ in range(2))

    assert whole < 0.5
    assert whole < 6 * half + 0.3
