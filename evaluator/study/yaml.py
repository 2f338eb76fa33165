"""Read YAML as a type; every mistake is reported with its line and key."""

import difflib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
import yaml
from msgspec import Struct, inspect

from evaluator.errors import StudyError

T = TypeVar("T")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "keys with values",
    "array": "a list",
}
"""msgspec's names of types, in words."""
_OTHER_NAMES = {
    **dict.fromkeys(("llamacpp", "llama", "llamacppserver", "llamaserverexe", "gguf", "ggml"), "llamaserver"),
    **dict.fromkeys(("mlx", "mlxlmserver", "mlxserver"), "mlxlm"),
    **dict.fromkeys(("openaicompatible", "openaiapi", "http", "api"), "openai"),
    "lms": "lmstudio",
}
"""What programs are called beside the names that a study has for them, without dashes and dots."""
_ANY_KEY = "[...]"
"""How msgspec writes a key of a mapping that may have any keys."""


class Document(Struct, Generic[T], frozen=True):
    """A text that was read as YAML."""

    source: str
    """Its name in messages: the path of a file, or an option."""
    value: T
    lines: Mapping[str, int]
    """Line of every key, counted from 1; keys are written as `variants[2].model`, "" is the whole text."""

    def line(self, key: str) -> int:
        """Give a key's line, counted from 1; of a key that is not written, that of the nearest key above it."""
        while key not in self.lines and key:
            key = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", key)
        return self.lines.get(key, 1)

    def error(self, key: str, problem: str, remedy: str = "") -> StudyError:
        """Make an error about a key, with its line."""
        return StudyError(problem, source=self.source, line=self.line(key), key=key, remedy=remedy)


def read_yaml(text: str, source: str, kind: type[T], *, top: str = "the file") -> Document[T]:
    """Read YAML as a type. Keys that are written twice are refused.

    Args:
        text: The YAML.
        source: Its name in messages.
        kind: Any type that msgspec can convert to.
        top: The key to name for a mistake that concerns the whole text.

    Raises:
        StudyError: It is not YAML, or not of the type; with line and key.
    """
    document = _parse(text, source)
    return Document(source, convert(document, document.value, kind, top=top), document.lines)


def convert(document: Document[Any], data: Any, kind: type[T], *, top: str) -> T:  # noqa: ANN401 - YAML can be anything
    """Convert `data`, the document or some of its topmost keys, to a type.

    Raises:
        StudyError: It is not of the type; `top` is the key to name for a mistake that concerns all of `data`.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise document.error(*_explain(error, data, kind, top)) from None


def line_of(text: str, key: str) -> int:
    """Find the line of a key such as `variants[2].model` in YAML that was read before."""
    return _parse(text, "").line(key)


def _parse(text: str, source: str) -> Document[Any]:
    """Read YAML into plain data, with the line of every key."""

    def wrong(line: int, why: object) -> StudyError:
        return StudyError(f"not valid YAML: {why}", source=source, line=line)

    lines: dict[str, int] = {}
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _find_lines(node, "", lines, source)
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        if tab := _tab_in_the_indent(text, line):
            raise StudyError("indented with a tab", source=source, line=tab, remedy="indent with spaces") from None
        if "'\\t'" in str(error.problem):
            raise StudyError("a tab that YAML does not take", source=source, line=line, remedy="put spaces") from None
        raise wrong(line, error.problem or error.context) from None
    except yaml.YAMLError as error:
        raise wrong(1, " ".join(str(error).split())) from None
    except (ValueError, RecursionError) as error:
        raise wrong(1, error) from None
    return Document(source, data, lines)


def _tab_in_the_indent(text: str, line: int) -> int | None:
    """Find the tab that YAML stumbled over: on this line, or on the one before, from which it went on."""
    lines = text.splitlines()
    near = [number for number in (line, line - 1) if 0 < number <= len(lines)]
    return next((n for n in near if "\t" in lines[n - 1][: len(lines[n - 1]) - len(lines[n - 1].lstrip())]), None)


def _find_lines(node: yaml.Node, path: str, lines: dict[str, int], source: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = _below(path, key.value)
            line = key.start_mark.line + 1
            if below in lines:
                problem = f"written twice (first on line {lines[below]})"
                raise StudyError(problem, source=source, line=line, key=below, remedy="keep one")
            lines[below] = line
            _find_lines(value, below, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _find_lines(value, f"{path}[{i}]", lines, source)


def _explain(error: msgspec.ValidationError, data: Any, kind: type, top: str) -> tuple[str, str, str]:  # noqa: ANN401 - YAML can be anything
    """Turn msgspec's message into a key, what is wrong with it, and what to do."""
    if data is None:
        return top, "missing", "the file is empty"
    problem, of_keys, path = _parts_of(str(error))
    key = path.replace(_ANY_KEY, "")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return _below(key, unknown[1]), "unknown key", _nearest(unknown[1], _type_at(kind, path))
    if absent := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return _below(key, absent[1]), "missing", "it must be given"
    if _ANY_KEY in path:
        return key or top, _in_words(problem), ""
    value = _value_at(data, path)
    if of_keys:
        return _explain_key(key, value, problem, top)
    return _explain_value(key or top, value, problem, _choices(_type_at(kind, path)))


def _explain_key(key: str, mapping: Any, problem: str, top: str) -> tuple[str, str, str]:  # noqa: ANN401 - YAML can be anything
    for below in mapping:
        if not isinstance(below, str):
            return _below(key, below), "a key is text", f"put {below!r} in quotes"
    return key or top, f"one of its keys: {_in_words(problem)}", ""


def _explain_value(key: str, value: Any, problem: str, choices: list[str]) -> tuple[str, str, str]:  # noqa: ANN401 - YAML can be anything
    if choices and problem.startswith("Invalid enum value"):
        near = _meant(str(value), choices)
        return key, f'"{value}" is not known here', f"did you mean {near}?" if near else f"write {' or '.join(choices)}"
    if isinstance(value, str) and "matching regex" in problem:
        return key, f"{value!r} does not fit", _fitting(value)
    if isinstance(value, dict | list):
        return key, _in_words(problem), ""
    quotes = re.match(r"Expected `str( \| null)?`, got `(int|float|bool)`", problem)
    return key, f"{_in_words(problem)}, not {value!r}", "put it in quotes" if quotes else ""


def _meant(word: str, choices: list[str]) -> str | None:
    """Find the choice that a word stands for: but for blanks, case and dashes, by another name, or nearly."""
    plain = {re.sub(r"[^a-z0-9]", "", choice.lower()): choice for choice in choices}
    bare = re.sub(r"[^a-z0-9]", "", word.lower())
    bare = next((_OTHER_NAMES[name] for name in _OTHER_NAMES if name == bare), bare)
    near = [bare] if bare in plain else difflib.get_close_matches(bare, plain, n=1)
    return plain[near[0]] if near else None


def _fitting(name: str) -> str:
    """Say what a name may hold, and make one that fits of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fitting = re.sub(r"[^A-Za-z0-9._+-]+", "-", plain).strip("-._+")
    return "letters, digits, . _ + - only" + (f": {fitting}" if fitting else ", the first a letter or digit")


def _parts_of(message: str) -> tuple[str, bool, str]:
    """Split msgspec's message into the problem, whether a mapping's key has it (not a value), and the path to it."""
    problem, at, path = message.partition(" - at `")
    of_keys = path.startswith("key` in `")
    path = path.removeprefix("key` in `").removesuffix("`").removeprefix("$").removeprefix(".")
    return problem, of_keys and bool(at), path


def _in_words(problem: str) -> str:
    problem = re.sub(r", got `[\w |]+`$", "", problem)
    problem = re.sub(r"`([\w |]+)`", lambda match: _types_in_words(match[1]), problem)
    return problem[0].lower() + problem[1:].replace("`", "")


def _types_in_words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | ") if name != "null")


def _below(key: str, field: object) -> str:
    return f"{key}.{field}" if key else str(field)


def _nearest(word: str, parent: inspect.Type) -> str:
    known = [field.encode_name for field in parent.fields] if isinstance(parent, inspect.StructType) else []
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}"


def _steps(path: str) -> list[str]:
    return re.findall(r"\[\.\.\.\]|[^.\[\]]+", path)


def _value_at(data: Any, path: str) -> Any:  # noqa: ANN401 - YAML can be anything
    for step in _steps(path):
        data = data[int(step)] if isinstance(data, list) else data[step]
    return data


def _type_at(kind: type, path: str) -> inspect.Type:
    """Follow a path such as `variants[2].thinking` through a type."""
    current = _bare(inspect.type_info(kind))
    for step in _steps(path):
        for option in _options(current):
            if isinstance(option, inspect.VarTupleType | inspect.ListType):
                current = _bare(option.item_type)
            elif isinstance(option, inspect.DictType):
                current = _bare(option.value_type)
            elif isinstance(option, inspect.StructType):
                current = _bare(next(field.type for field in option.fields if field.encode_name == step))
            else:
                continue
            break
    return current


def _choices(kind: inspect.Type) -> list[str]:
    literals = [
        str(value) for option in _options(kind) if isinstance(option, inspect.LiteralType) for value in option.values
    ]
    return literals + ["a whole number" for option in _options(kind) if isinstance(option, inspect.IntType)]


def _options(kind: inspect.Type) -> list[inspect.Type]:
    """List the members of a union; of another type the type itself."""
    return [_bare(option) for option in (kind.types if isinstance(kind, inspect.UnionType) else (kind,))]


def _bare(kind: inspect.Type) -> inspect.Type:
    """Strip a type's description."""
    return kind.type if isinstance(kind, inspect.Metadata) else kind
