"""What self-made answers are made of: real questions, their options, reasoning from the official worked examples."""

import json
import random
import re
from functools import cache
from pathlib import Path

from evaluator.benchmarks import mmlu_pro
from evaluator.records import Question

# Reasoning that a hasty grader takes letters from: articles, pronouns, units, variables, names.
_TRAPS = (
    "A good way to look at this is to go back to the definition.",
    "I will go through it slowly. I know the definition, and I recall an example.",
    "Here A is the area, B is the field strength and I is the current in amperes.",
    "The current is 5 A, the charge 3 C, the energy 12 J and the temperature 20 C.",
    "Compare vitamin C, hepatitis B and blood type A, which are not meant here.",
    "Let A and B be two events and let C be the third one, so that A + B = C.",
    "Point A lies to the left of point B, and D is the distance between them.",
    "A company such as Company A may differ from Company B in this respect.",
    "As in Part I of the statute, Article I says so, and Class A shares are no exception.",
)
_REMARKS = ("This is one of the possibilities.", "This is a related idea.", "This needs a closer look.")
_OPENINGS = (
    "",
    "Let's think step by step. ",
    "To answer this question, we need to look at what is given. ",
    "Okay, so the question asks about this: {asked} ",
    "Sure! Let's break it down. ",
    "Answer: Let's think step by step. ",
    "A: Let's think step by step. ",
    "**Step 1: Understand the question.**\n{asked}\n\n**Step 2: Apply what is known.**\n",
    "1. **Given:** {asked}\n2. **Analysis:** ",
    "## Analysis\n\n> {asked}\n\n",
)
# A form is left out for a question with such options: "none of these" then is an answer, and so is "I and II".
UNUSUAL = re.compile(
    r"none|neither|both|all of|cannot|not given|insufficient|(?:[A-J]|[IVX]+)(?:,| and| or) [A-J]", re.IGNORECASE
)


@cache
def sample(seed: int = 20) -> tuple[Question, ...]:
    """Draw questions of each category, of each number of options, and with options that invite mistakes."""
    rng = random.Random(seed)
    everything = [one for one in mmlu_pro.load(shots=0) if len(asked(one)) < 1500]
    article, letter, roman = re.compile(r"(?:A|I) \w.*"), re.compile(r"[A-J]"), re.compile(r"[IVX]+(?:,| and| only).*")
    latex, unit = re.compile(r".*(?:\\|\$).*"), re.compile(r"\$?[\d.,]+ ?[a-zA-Z][a-zA-Z/]*")
    groups = [
        *([one for one in everything if one.category == name] for name in sorted({one.category for one in everything})),
        *([one for one in everything if len(one.letters) == count] for count in range(3, 11)),
        *(
            [one for one in everything if any(map(hard.fullmatch, one.options))]
            for hard in (article, roman, latex, unit)
        ),
        [one for one in everything if sum(bool(letter.fullmatch(text)) for text in one.options) > 1],
        [one for one in everything if any("of the above" in text for text in one.options)],
        *[[one for one in everything if letters_for("@cased", one)]] * 3,
    ]
    return tuple({one.id: one for group in groups for one in rng.sample(group, 2)}.values())


def letters_for(template: str, question: Question) -> str:
    """Give the letters that a form can stand for: most can for all, some need an option with a text of its own."""
    texts = [" ".join(text.split()) for text in question.options]
    folded = [text.casefold() for text in texts]
    plain = [re.sub(r"[\W_]", "", text) for text in folded]  # "-5" and "5" differ, but not enough for this purpose
    if "@cased" in template:
        fits = [texts.count(text) == 1 and folded.count(text.casefold()) > 1 for text in texts]
    elif "@only" in template:
        fits = [
            plain.count(bare) == 1 and len(bare) > 1 and not text.endswith("?") and "\n" not in text
            for bare, text in zip(plain, question.options, strict=True)
        ]
    elif "@rounded" in template:
        fits = [_rounded(text) not in {"", *texts} for text in texts]
    else:
        return question.letters
    return "".join(letter for letter, fit in zip(question.letters, fits, strict=True) if fit)


def material(question: Question, letter: str, rng: random.Random) -> dict[str, str]:
    """Give the pieces that forms are filled with; `letter` is the option that the reply takes."""
    # A sentence goes on behind an option's text: its own full stop is left out.
    texts = dict(zip(question.letters, (text.rstrip(".") for text in question.options), strict=True))
    other, third = rng.sample([one for one in question.letters if one != letter], 2)
    following = rng.choice([one for one in sample() if one.id != question.id])
    solved = _sentences(question.category)
    prose = " ".join(rng.choice(solved) for _ in range(rng.randint(1, 2)))
    prose = f"{rng.choice(_TRAPS)} {prose}" if rng.random() < 0.5 else f"{prose} {rng.choice(_TRAPS)}"
    prose = rng.choice(_OPENINGS).format(asked=_last_sentence(asked(question))) + prose
    listed = _listed(question)
    review = "".join(f"- {one}. {text}: {rng.choice(_REMARKS)}\n" for one, text in texts.items())
    return {
        "L": letter,
        "l": letter.lower(),
        "wide": chr(ord(letter) + 0xFEE0),
        "text": texts[letter],
        "only": texts[letter],
        "cased": texts[letter],
        "rounded": _rounded(texts[letter]),
        "M": other,
        "mtext": texts[other],
        "N": third,
        "ntext": texts[third],
        "Z": "ABCDEFGHIJKLM"[len(question.letters)],
        "question": asked(question),
        "options": listed,
        "step": _last_sentence(rng.choice(solved)).rstrip("."),
        "cot": prose,
        "reason": f"Let's go through the options:\n{review}\n{prose}" if rng.random() < 0.25 else prose,
        "others": "".join(
            f"- {one}. {text}: this is not what is asked for.\n" for one, text in texts.items() if one != letter
        ),
        "next": asked(following),
        "nextoptions": _listed(following),
        "json": json.dumps(prose),
    }


@cache
def _sentences(category: str) -> tuple[str, ...]:
    """Give the worked examples of a category without the sentences that name an option or an answer."""
    solved = []
    rows = (Path(mmlu_pro.__file__).parent / "data" / "mmlu_pro_validation.jsonl").read_text(encoding="utf-8")
    for row in map(json.loads, rows.splitlines()):
        if row["category"] == category:
            told = row["cot_content"].removeprefix("A: Let's think step by step. ")
            kept = [one for one in re.split(r"(?<=[.!?])\s+", told) if not re.search(r"\([A-J]\)|answer|option", one)]
            solved.append(" ".join(kept))
    return tuple(filter(None, solved))


def asked(question: Question) -> str:
    """Give the question's own text."""
    content = question.prompt.messages[0]["content"]
    return content.partition("Question: ")[2].rpartition("\nOptions: ")[0]


def _listed(question: Question) -> str:
    return "".join(f"{letter}. {text}\n" for letter, text in zip(question.letters, question.options, strict=True))


def _last_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s+", text.strip())[-1].replace("{", "(").replace("}", ")")


def _rounded(text: str) -> str:
    """Round the first decimal number to one digit fewer; nothing where there is none."""
    number = re.search(r"\d+\.\d+", text)
    if number is None:
        return ""
    digits = len(number[0].partition(".")[2]) - 1
    return f"{text[: number.start()]}{float(number[0]):.{digits}f}{text[number.end() :]}"
