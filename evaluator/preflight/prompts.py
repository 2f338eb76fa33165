"""The prompts of the probes: fixed for ever, so that numbers of tokens can be compared between servers and days.

But for the words of which each check draws its own: of their prompts no tokens are compared.
"""

from collections.abc import Mapping

from evaluator.records import Kind

COUNTED = {
    "english": "The quick brown fox jumps over the lazy dog, although nobody had asked it to; it wasn't amused.",
    "code": "def add(a, b):\n    # adds\n\treturn {'sum': a + b}[\"sum\"]  \n\n\nif __name__ == '__main__':\n    add()",
    "numbers": "3.14159 2,718,281 0x1F 1e-9 -40 12345678901234567890 1/3 50% 2026-01-31",
    "scripts": "Привет, мир! 世界你好。こんにちは مرحبا नमस्ते 안녕하세요 naïve café 🙂",
    "markup": "<|im_start|>user\nhi<|im_end|>\n<start_of_turn>model\n<|eot_id|>[INST] <think></think> </s>",
}
"""Texts whose tokens are counted. The last looks like chat markup, which some servers take for what it looks like."""

WORD = "kumquat"
REMEMBER = f"The secret word is {WORD}. It is asked for at the end.\n\n"
PART = "The keeper of the lighthouse counted the ships that passed in the night.\n"
RECALL = "\nWhat is the secret word? Reply with that one word."
"""A long prompt is the word, many equal parts, and the question for it where it is asked."""
CAP = 16_384
"""Tokens of the longest prompt: reading more would take a large model minutes."""
SPARE = 64
"""Tokens left of the context: for the reply, and for what a chat template adds."""

OPEN = "Invent the names of ten villages on an island that nobody has seen, and write them down in one line."
"""A prompt with many good answers."""

ALONE = "The ferry to the northern islands leaves at seven, and whoever misses it waits for the mail boat at noon. "
ALONE_TASK = "\n\nTell the story of somebody who missed the ferry, in about two hundred words."
"""Of the speed of one request alone: the first many times, after words by chance."""

_TASKS = (
    "Write one sentence about the sea in which the word {} stands.",
    "Name three animals, and after each of them write {}.",
    "Which is larger, 17 or 71? Begin your reply with {}.",
    "Translate 'good morning' into French, and sign with {}.",
    "Give a Python variable the name {} and the value 3.",
    "List the days of the week, but say {} in place of Sunday.",
)
CODEWORDS = ("amberfinch", "coppervale", "duskharbor", "emberwood", "frostmarsh", "gravelpeak")
TOGETHER = tuple(task.format(word) for task, word in zip(_TASKS, CODEWORDS, strict=True))
"""Prompts that are put one at a time, then all at once: each has a word that no answer to another can have."""

MORE_CODEWORDS = (
    *("thistlebarge", "quillmeadow", "saffronkeel", "lanternmoss", "pebblecrown", "walnutspire", "velvetquarry"),
    *("cinderloom", "juniperlatch", "marblewick", "ottergable", "paprikaford", "ravelstone", "sorrelhatch"),
    *("tamarindgate", "umberbrook", "vesperknot", "willowanvil", "yarrowpost", "zinniacliff", "basaltthimble"),
    *("cobaltheron", "drizzlefort", "elmsaddle", "fennelbridge", "garnetplough", "hazelbuoy", "indigopantry"),
    *("jasperkettle", "kelpturret", "lilacfurnace", "maplecompass", "nettlevault", "ochrepigeon", "poppyanchor"),
    *("quartzorchard", "reedlocket", "slatebonnet", "teakwhistle", "umbrellafjord", "violetbarrel", "wickerglacier"),
    *("yewtrumpet", "zephyrbucket", "acorncannon", "birchgoblet", "cloverpiston", "daisyfunnel", "elderpulley"),
)
"""Words of which each check draws some: one that it did not draw can only come from another check."""

REPEAT = "Write the word {} three times."
"""A task that is put with many words: a server that takes prompts for the same because they are alike stands out."""

QUESTIONS: Mapping[tuple[Kind, bool], str] = {
    ("choice", True): (
        "The following are multiple choice questions (with answers) about words. Begin your reply with the word {word},"
        ' and then output the answer in the format of "The answer is (X)" at the end.\n\nQuestion: Which option is the'
        " word {word}?\nOptions:\n{letters[0]}. {word}\n{letters[1]}. another word\nAnswer:"
    ),
    ("choice", False): (
        "Question:\nWhich option is the word {word}?\nOptions:\n{letters[0]}. {word}\n{letters[1]}. another word\n"
        "Answer: The word {word} is"
    ),
    ("code", True): (
        "Complete this Python function. Reply with the complete function, with the imports it needs, in one Python code"
        ' block.\n\n```python\ndef {word}(number: int) -> int:\n    """Add {number} to a number."""\n```'
    ),
    ("code", False): (
        'def {word}(number: int) -> int:\n    """Add {number} to a number.\n\n    >>> {word}(1)\n    {next}\n    """\n'
    ),
    ("number", True): (
        "Given the following problem, reason and give a final answer to the problem.\nProblem: Mrs. {word} has {number}"
        " sheep, and buys one more. How many sheep does Mrs. {word} have?\n"
        'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
    ),
    ("number", False): (
        "Q: Mrs. {word} has {number} sheep, and buys one more. How many sheep does Mrs. {word} have?\n"
        "A: Mrs. {word} has"
    ),
}
"""Prompts in the form of a benchmark's questions, by kind of answer and by whether they are chats."""

TEMPLATE_MARKS = (
    "<|im_start|>",
    "<|im_end|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|turn>",
    "<turn|>",
    "<|start_header_id|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|assistant|>",
    "<|user|>",
)
"""Marks of chat templates, which have no place in a reply."""
