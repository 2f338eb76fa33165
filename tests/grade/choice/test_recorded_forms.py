"""One row for each lesson that recorded answers of real models taught; the words are our own, the form is theirs.

The recordings: `eval_results` of TIGER-AI-Lab/MMLU-Pro (29 models, 5 worked examples) and of its forks by shihanqu
(MiniMax M2.5) and okuvshynov (Qwen3-30B-A3B). The source of each row names the model and one question's number there.
"""

from typing import NamedTuple

import pytest

from evaluator.benchmarks.mmlu_pro import extract

LETTERS = "ABCDEFGHIJ"
OPTIONS = ("Paris", "London", "42", "0.2 TeV", "I and IV only", "Rome. It is old.", "17", "3", "[3, 3]", "Bern")


class Lesson(NamedTuple):
    """What was learned, from whom, and what a careful reader takes for the answer."""

    source: str
    text: str
    letter: str | None


LESSONS = {
    "the answers to all worked examples, then this question's": Lesson(
        "Gemini 1.5 Pro, 7991",
        "The answer is (A).\n\nThe answer is (H).\n\nThe answer is (E).\n\nThe answer is (I).\n\nThe answer is (B).\n\n"
        "The answer is (D).\n",
        "D",
    ),
    "the same, behind the question's own answer": Lesson(
        "MiniMax M2.5, 5357",
        "They are dialects.\n\nThe answer is (F)\n\nThe answer is (E)\nThe answer is (B)\nThe answer is (B)\n"
        "The answer is (J)\nThe answer is (J)\nThe answer is (F)",
        "F",
    ),
    "a loop of answers": Lesson(
        "Yi 6B Chat, 4851",
        "The faith was tolerated. The answer is (F).\n" + "The answer is (A).\nThe answer is (C).\n" * 9,
        None,
    ),
    "a recap of all questions": Lesson(
        "Qwen1.5 72B Chat, 3791",
        "Only one electron is set free. The answer is (A).\n\nNow, combining all the answers:\nThe answer is (B).",
        "A",
    ),
    "a recap, numbered": Lesson(
        "Qwen1.5 72B Chat, 2910",
        "This is biochemistry. The answer is (A).\n\nNow, let's summarize the final answers to all questions:\n\n"
        "1. The answer is (B).\n2. The answer is (D).",
        "A",
    ),
    "a recap, half in Chinese": Lesson(
        "Qwen1.5 72B Chat, 2132",
        "It is criticised for its rules. The answer is (C).\n\nNow, let's总结以上问题的答案：\nThe answer is J.",  # noqa: RUF001
        "C",
    ),
    "a final answer that contradicts": Lesson(
        "Qwen1.5 72B Chat, 717", "Regression is used. The answer is (H).\n\nFinal Answer: The answer is (F).", None
    ),
    "parts answered one by one": Lesson(
        "Mixtral 8x7B Instruct, 11844",
        "(a) It is 6 mV. The answer is (A). (b) It falls. The answer is (B). (c) So P = 12. The answer is (D).",
        None,
    ),
    "answered first, corrected by working": Lesson(
        "Gemini 1.5 Flash, 4179",
        "The answer is (I)\n\nHere is how to do it with a series:\n\nThe limit is -1/2, by both ways.\n\n"
        "Therefore, the answer is (H).\n",
        "H",
    ),
    "called incorrect in the same sentence": Lesson(
        "Mistral 7B Instruct v0.2, 8900", "The answer is (D) is incorrect. The correct answer is (F).", "F"
    ),
    "several at once": Lesson("Mixtral 8x7B Instruct, 6629", "The answer is (A), (C), and (E).", None),
    "several, run together": Lesson("Command R, 6786", "The answer is (CDFG).", None),
    "no data": Lesson("Qwen1.5 72B Chat, 11472", "The answer is (Insufficient data provided).", None),
    "a small letter": Lesson("Gemma 7B, 11391", "So it is 424.2 V. The answer is (a).", "A"),
    "the text in place of the letter": Lesson("Mixtral 8x7B, 8411", "The answer is 17.", "G"),
    "the text in brackets": Lesson("Phi-3 mini, 8756", "The answer is (17).", "G"),
    "a text, then another option's letter": Lesson(
        "Gemini 1.5 Pro, 7782", "The answer is 17.\n\nFinal Answer: The final answer is $\\boxed{J}$", "J"
    ),
    "the text, a list": Lesson("Jamba 1.5 Large, 7984", "The answer is [3, 3].", "I"),
    "the text, boxed": Lesson("DeepSeek Coder V2, 8823", r"Therefore, the remainder is \( \boxed{3} \).", "H"),
    "boxes that are taken back, and no end": Lesson(
        "Llama 3.1 70B Instruct, 8722",
        r"The next value is $\boxed{16}$ is incorrect, since 16 is even. The next value is $\boxed{17}$ is incorrect,"
        " since",
        None,
    ),
    "the sentence in LaTeX": Lesson("DeepSeek Coder V2, 793", r"\[ \text{The answer is } (B) \]", "B"),
    "the text, then the letter": Lesson(
        "Command R, 9958", "We divide by 1000, and the answer is 0.2 TeV, or (D).", "D"
    ),
    "the closest": Lesson("Command R, 9609", "It is 15.88. The answer is closest to (C).", "C"),
    "not any of all": Lesson("Mistral 7B Instruct v0.2, 9265", "The answer is not (A), (B), (C), or (J).", None),
    "that fits": Lesson("Qwen1.5 7B Chat, 6194", "The answer that best fits this description is (A).", "A"),
    "likely to be": Lesson("Mistral 7B Instruct v0.2, 3645", "Therefore, the answer is likely to be (A) Paris.", "A"),
    "only a closing sentence": Lesson("Qwen1.5 7B Chat, 6685", "He drinks. The most likely cause is (B).", "B"),
    "a closing sentence about what does not": Lesson(
        "Command R, 7947", "We have y < 9. The point that does not satisfy this inequality is (E).", "E"
    ),
    "a closing sentence with the text": Lesson(
        "Mistral 7B Instruct v0.1, 4879",
        "The goal that the passage supports most directly is (F). Rome. It is old.",
        "F",
    ),
    "a bare letter with its text": Lesson("Jamba 1.5 Large, 2847", "The usual order of the periods is J. Bern", "J"),
    "represented by an option": Lesson(
        "Qwen1.5 7B Chat, 3241", "It is Mendelian inheritance, which is represented by option (G).", "G"
    ),
    "best describes": Lesson("Command R, 5743", "Option (C) best describes the current situation.", "C"),
    "makes it the answer": Lesson("Command R, 3128", "Twins share it, which makes (I) the correct answer.", "I"),
    "a next question": Lesson(
        "Llama 3 70B, 8977",
        " The plan that is most representative is (E).\n\nQuestion:\nA firm has 18 people. Who is chosen?\nOptions:\n"
        "A. 1/2\nB. 1/3\nAnswer: Let's think step by step. The answer is (A).",
        "E",
    ),
    "the end of the text, then more": Lesson("Command R, 741", "The answer is (A).<EOS_TOKEN>\nFinal answer: F.", "A"),
    "thinking that is closed twice": Lesson(
        "Qwen3 30B A3B, 10358",
        "<think>\nI think it is D.\n\nThe answer is (C).</think>\n\nThe answer is (D).</think>\n\nThe answer is (D).",
        "D",
    ),
    "listed options in a sentence": Lesson(
        "Llama 2 13B, 5759", "The vertical structures are (A), (B), (C), and (J).", None
    ),
    "a list of options, cut off in the last": Lesson(
        "Mistral 7B Instruct v0.1, 11080",
        "Let us read them.\n(F) means no heron flies.\n(G) means one flies.\n(H)",
        None,
    ),
    "a formula, cut off": Lesson("Yi 6B, 9189", "The energy is given by the formula:\n\nE", None),
    "closest, and on": Lesson(
        "Qwen1.5 72B Chat, 472",
        "The rate is 26%, which is closest to option G (22.5%). Let's recalculate with the",
        None,
    ),
    "parts that have the options' letters": Lesson(
        "Mistral 7B Instruct v0.1, 9079", "The answer is (a) 0.10c and (b) 0.10c.", None
    ),
    "two cases": Lesson(
        "Mistral 7B Instruct v0.2, 1953",
        "If it was admitted, then the answer is (G). If it was not admitted, then the answer is (F).",
        None,
    ),
    "every option judged": Lesson(
        "Mistral 7B Instruct v0.2, 1010",
        "The answer is (C) is partially correct, as she is young. The answer is (D) is incorrect, as she knew.",
        None,
    ),
    "one of two chosen": Lesson(
        "Mistral 7B Instruct v0.2, 7036",
        "The answer is (F) or (E). Both are correct. If we have to choose one, then the answer is (F) because it is.",
        "F",
    ),
    "a letter with another option's text": Lesson(
        "SmolLM2 135M Instruct, 5795",
        "The answer is D. 17.\n\n1. The question asks for a number.\n2. The answer is 17.\n\n1. The answer is 17.",
        None,
    ),
    "two options with their texts": Lesson(
        "Qwen1.5 7B Chat, 5655", "The answer is **A. Paris, B. London, and C. 42**. The others are not.", None
    ),
    "an option, and another that is also right": Lesson("own", "The answer is (A). (D) is also correct.", None),
    "the closest, and then denied": Lesson(
        "Phi-3 mini, 10374",
        "The closest option is (D) 0.2 TeV, but this is not correct. The answer is not given.",
        None,
    ),
    "none of the above": Lesson(
        "Gemini 1.5 Flash, 560", "So the answer would be E.\n\nThe answer is (None of the above)", None
    ),
    "closest, with an apology": Lesson(
        "Llama 3.1 8B Instruct, 9131", "The answer is not among the choices, but the closest is (C).", "C"
    ),
    "obtained": Lesson("Command R, 4126", "We obtain the final answer of 0.2 TeV, or (D).", "D"),
    "a text that is called the answer": Lesson("own", "So Paris is the correct answer.", "A"),
    "a check mark": Lesson("own", "✅ Answer: **D** 🙂", "D"),
    "reconsidered": Lesson("own", "The answer is B. Wait, let me recompute: it is 12.", None),
    "a word that was cut off": Lesson("Mixtral 8x7B, 8377", "We multiply, and get 4 s.\nH", None),
    "cut off before the letter": Lesson(
        "Qwen1.5 72B Chat, 1458", "It need not decide on the sale (F).\n\nThe answer is (", None
    ),
    "cut off, letters all over": Lesson(
        "Gemma 7B, 12209", "For the first profile, this is (1/2) u_m (1 - (B^2 / A^2)) (B = 0 to A), which is (C", None
    ),
}


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_a_recorded_form_is_read_as_a_careful_reader_reads_it(lesson: Lesson) -> None:
    assert extract(lesson.text, LETTERS, OPTIONS).value == lesson.letter
