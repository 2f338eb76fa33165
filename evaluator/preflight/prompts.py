"""The prompts of the probes: fixed for ever, so that numbers of tokens can be compared between servers and days."""

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

OPEN = "Invent the names of ten villages on an island that nobody has seen, and write them down in one line."
"""A prompt with many good answers."""

CODEWORDS = ("amberfinch", "coppervale", "duskharbor", "emberwood", "frostmarsh", "gravelpeak")
_TASKS = (
    "Write one sentence about the sea in which the word {} stands.",
    "Name three animals, and after each of them write {}.",
    "Which is larger, 17 or 71? Begin your reply with {}.",
    "Translate 'good morning' into French, and sign with {}.",
    "Give a Python variable the name {} and the value 3.",
    "List the days of the week, but say {} in place of Sunday.",
)
TOGETHER = tuple(task.format(word) for task, word in zip(_TASKS, CODEWORDS, strict=True))
"""Prompts that are put one at a time, then all at once: each has a word that no answer to another can have."""

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
