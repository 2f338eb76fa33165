"""Find the code in a reply and put the one program together that is run. Nothing is tried out to see what passes."""

import ast
import re
from collections.abc import Sequence

from evaluator.grade.code.assemble import Task, assemble, classify, describe_task
from evaluator.grade.code.body import find_unfenced_body, has_definitions, is_body, put_under_prompt, with_missing
from evaluator.grade.code.completion import begins_with_code, begins_with_fence, split_completion
from evaluator.grade.code.fences import Block, split_fences
from evaluator.grade.code.source import (
    LONGEST,
    indented_runs,
    keep_python,
    parse,
    repair,
    split_statements,
    tidy,
    try_parse,
)
from evaluator.records import Extraction

_LONGEST_REPLY = 200_000
"""Characters that are looked at. No reply to a HumanEval question, without its thinking, has a tenth of that."""
_MARKER = r"<\|(?:im_end|endoftext|end_of_text|eot_id|end|return)\|>|</s>|<end_of_turn>|<turn\|>|<eos>"
_TURN_ENDS = re.compile(_MARKER)
_LEADING_MARKERS = re.compile(rf"(?:\s*+(?:{_MARKER}))*+")
_ESCAPED_NAME = re.compile(r"\bdef[ \t]+\w++\\_")
_ESCAPE = re.compile(r"\\([_*])")


def read_program(text: str, *, code_prompt: str, entry_point: str, completion: bool) -> Extraction:
    """Put together the program that a reply amounts to, without the tests, in time linear in its length.

    Args:
        text: the reply without its thinking.
        code_prompt: imports, helpers, signature and docstring, as published.
        entry_point: the function to write.
        completion: the reply continues `code_prompt` (a base model) instead of answering a chat message.

    Returns:
        The program, also when it does not parse: it will fail; None only when there is no code for `entry_point`.
    """
    task = describe_task(code_prompt, entry_point)
    text = text[:_LONGEST_REPLY] if completion else text[-_LONGEST_REPLY:]
    text = _without_escapes(_first_turn(tidy(text)))
    program = _read_completion(text, task) if completion else _read_reply(text, task)
    if program.value is None:
        return program
    parsed = try_parse(program.value)
    why = f"{program.why}; no valid Python: {parsed}" if isinstance(parsed, str) else program.why
    return Extraction(value=program.value, why=why)


def goes_on_after_body(text: str, entry_point: str = "") -> bool:
    """Whether a completion ends the function and goes on with at least one whole line of something else.

    Args:
        text: the completion, without thinking.
        entry_point: the function to write; needed only to tell it from a helper where the completion begins anew.
    """
    text = tidy(text)
    if begins_with_fence(text):
        blocks, outside = split_fences(text)
        return bool(blocks) and blocks[0].closed and "\n" in outside.strip(" ")
    rest = split_completion(text, describe_task("", entry_point) if entry_point else None).rest
    return "\n" in rest.lstrip("\n")


def _read_reply(text: str, task: Task) -> Extraction:
    """Read a chat reply: a whole function in a block or outside of one, or its body; failing that, a stub."""
    blocks, outside = split_fences(text)
    blocks = _usable(blocks)
    codes = tuple(_at_margin(block.code, task) for block in blocks)
    main, verdict = _choose([code for code in codes if task.defines.search(code)], task)
    others = tuple(code for code in codes if code is not main)
    block_why = f"the last code block that defines {task.name}"
    if verdict in {"whole", "broken"}:
        return Extraction(value=assemble(_clean(main, task), task, others), why=block_why)
    unfenced = _find_unfenced(outside, task)
    unfenced_why = f"code without a fence that defines {task.name}"
    if unfenced and classify(unfenced, task) != "stub":
        return Extraction(value=assemble(unfenced, task, codes), why=unfenced_why)
    body = _find_body(text, blocks, task)
    if body:
        return body
    if main:
        why = f"{block_why}, though it is only {'a stub' if verdict == 'stub' else 'an excerpt'}"
        return Extraction(value=assemble(_clean(main, task), task, others), why=why)
    if unfenced:
        return Extraction(value=assemble(unfenced, task, codes), why=f"{unfenced_why}, though it is only a stub")
    return _find_method((*codes, outside), task) or Extraction(
        value=None, why=f"no code that defines {task.name} or could be its body"
    )


def _read_completion(text: str, task: Task) -> Extraction:
    """Read what a base model wrote after the prompt."""
    if not text.strip():
        return Extraction(value=None, why="no code: the completion is blank")
    if begins_with_fence(text):
        return _read_reply(text, task)
    anew, function, rest = split_completion(text, task)
    if anew:
        program = assemble(keep_python(function, task.defines), task, (rest[:LONGEST],))
        return Extraction(value=program, why=f"the completion defines {task.name} anew")
    if not begins_with_code(function) and parse(repair(function)) is None:
        return _read_reply(text, task)
    elsewhere = (rest[:LONGEST],)
    program = with_missing(task.prompt + function.rstrip() + "\n", elsewhere)
    if function[0].isspace() and (parse(program) or parse(repair(function)) is None):
        return Extraction(value=program, why="the completion up to the next statement at the left margin")
    program = put_under_prompt(function, task, elsewhere)
    return Extraction(value=program, why="the completion, its indentation restored")


def _first_turn(text: str) -> str:
    """Leave out what follows a leaked end-of-turn marker: the model talks to itself."""
    begins = _LEADING_MARKERS.match(text)
    text = text[begins.end() :] if begins else text
    ends = _TURN_ENDS.search(text)
    return text[: ends.start()] if ends else text


def _without_escapes(text: str) -> str:
    r"""Undo Markdown's `\_` where a model wrote code as if it were prose."""
    return _ESCAPE.sub(r"\1", text) if _ESCAPED_NAME.search(text) else text


def _usable(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Leave out blank blocks, interpreter sessions, and the first blocks of a reply that goes round in circles."""
    kept: list[Block] = []
    room = 2 * LONGEST
    for block in reversed(blocks):
        if not block.code or block.code.lstrip().startswith(">>>"):
            continue
        if len(block.code) > room:
            break
        room -= len(block.code)
        kept.append(block)
    return tuple(kept[::-1])


def _at_margin(code: str, task: Task) -> str:
    """Bring a definition to the left margin where indentation was lost on the way."""
    if task.defines.search(code) or not task.method.search(code):
        return code
    repaired = repair(code)
    return repaired if task.defines.search(repaired) else code


def _choose(codes: list[str], task: Task) -> tuple[str, str]:
    """Choose the last code that defines the function, but no stub or excerpt of what stands before it.

    Nor the beginning of it: a model that repeats itself until it is cut off has answered.
    """
    judged = [(code, classify(code, task)) for code in codes]
    whole = [pair for pair in judged if pair[1] in {"whole", "broken"}]
    if len(whole) > 1 and any(code.startswith(whole[-1][0].rstrip()) for code, _ in whole[:-1]):
        whole = [pair for pair in whole if pair[1] == "whole"] or whole
    return [("", ""), *judged[-1:], *whole[-1:]][-1]


def _clean(code: str, task: Task) -> str:
    """Leave out what keeps a block from being Python, but for the function itself."""
    if parse(code):
        return code
    repaired = repair(code)
    return repaired if parse(repaired) else keep_python(code, task.defines)


def _find_unfenced(outside: str, task: Task) -> str:
    """Find code that defines the function between prose: at the margin, or as far to the right as all of it."""
    if task.name not in outside:
        return ""
    ends = [match.end() for match in task.defines.finditer(outside)][-1:]
    if ends:
        begin = max(ends[0] - LONGEST // 2, 0)
        window = outside[outside.find("\n", begin) if begin else 0 : ends[0] + LONGEST // 2]
        return _with_one_definition(keep_python(window, task.defines), task)
    if not task.method.search(outside):
        return ""
    repaired = repair(outside)
    if task.defines.search(repaired) and parse(repaired):
        return repaired
    if has_definitions(outside):  # what is indented there is inside of something else
        return ""
    runs = [run for run in indented_runs(outside) if task.defines.search(run) and parse(run)]
    return runs[-1] if runs else ""


def _with_one_definition(code: str, task: Task) -> str:
    """Keep the definition that counts: a base model's echo of the prompt, a stub, may follow it."""
    pieces = split_statements(code)
    definitions = [piece for piece in pieces if task.defines.search(piece)]
    chosen, _ = _choose(definitions, task)
    return "".join(piece for piece in pieces if piece == chosen or piece not in definitions)


def _find_body(text: str, blocks: tuple[Block, ...], task: Task) -> Extraction | None:
    """Take the one code block, or unfenced code, for the inside of the function that was asked for."""
    bodies = [block.code for block in blocks if block.for_python and is_body(block.code)]
    if len(bodies) == 1:
        others = tuple(block.code for block in blocks if block.code is not bodies[0])
        return Extraction(value=put_under_prompt(bodies[0], task, others), why="a function body in a code block")
    if bodies:
        return Extraction(value=None, why="several code blocks, each of which could be the function's body")
    unfenced = None if blocks else find_unfenced_body(text)
    return Extraction(value=put_under_prompt(unfenced[0], task), why=unfenced[1]) if unfenced else None


def _find_method(codes: tuple[str, ...], task: Task) -> Extraction | None:
    """Take a method of the function's name for the function: the class around it is form, its name and code are not."""
    for code in reversed(codes):
        tree = parse(code) if task.method.search(code) else None
        for node in reversed(tree.body if tree else []):
            if isinstance(node, ast.ClassDef) and task.name in {getattr(inner, "name", "") for inner in node.body}:
                others = tuple(other for other in codes if other is not code)
                program = assemble(f"{code}\n\n\n{task.name} = {node.name}().{task.name}", task, others)
                return Extraction(value=program, why=f"the method {task.name} of the class {node.name}")
    return None
