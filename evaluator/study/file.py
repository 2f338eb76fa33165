"""Read a study file: YAML in, a frozen Study out; every mistake is one sentence with its line and key."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct, inspect

from evaluator.study.study import Study, StudyError, Variant
from servers.request import normal
from servers.spec import ServerError


class LoadedStudy(Struct, frozen=True, kw_only=True):
    """A study, and where it came from."""

    study: Study
    text: str
    """Its YAML, which is kept with the results."""
    source: str
    """What it is called in messages: the file's path."""
    base: Path
    """Where the paths in it begin."""


def load_study(source: Study | Mapping[str, Any] | str | Path) -> LoadedStudy:
    """Read a study.

    Args:
        source: Path of a YAML file, or the study itself, as a `Study` or as the mapping that its YAML would be; paths
            in it then begin at the working directory.

    Raises:
        StudyError: In one sentence with the file, the line and the key.
    """
    if isinstance(source, Study | Mapping):
        text = yaml.safe_dump(msgspec.to_builtins(source), sort_keys=False, allow_unicode=True)
        return LoadedStudy(study=parse(text, "the study"), text=text, source="the study", base=Path())
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}): give the path of a study file") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    return LoadedStudy(study=parse(text, str(path)), text=text, source=str(path), base=path.parent)


def parse(text: str, source: str) -> Study:
    """Parse a study's YAML; `source` names it in messages.

    Raises:
        StudyError: in one sentence with the file, the line and the key.
    """
    data, lines = _load(text, source)
    try:
        study = msgspec.convert(data, Study)
    except msgspec.ValidationError as error:
        key, problem = _explain(error, data)
        raise StudyError(f"{source}:{_line(lines, key)}: {key}: {problem}") from None
    for key, problem in _contradictions(study):
        raise StudyError(f"{source}:{_line(lines, key)}: {key}: {problem}")
    return study


def line_of(text: str, key: str) -> int:
    """Find the line of a key such as `variants[2].model` in a study's text."""
    return _line(_load(text, "")[1], key)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of a study file, for editors."""
    return msgspec.json.schema(Study)


def _contradictions(study: Study) -> Iterator[tuple[str, str]]:
    names = [variant.name for variant in study.variants]
    for i, variant in enumerate(study.variants):
        at = f"variants[{i}]"
        if any(word.partition("=")[0] == "--api-key" for word in variant.args):
            yield f"{at}.args", "a key would be written into the run: name its variable in api_key_env instead"
        first = names.index(variant.name)
        if first != i:
            yield f"{at}.name", f'"{variant.name}" is the name of variants[{first}] already: give each its own'
        if variant.name.lower() in [name.lower() for name in names[:i]]:
            yield f"{at}.name", f'"{variant.name}" differs from another name in case only: give each its own'
        yield from _runtime(at, variant)
        if variant.context is not None and variant.context <= study.sampling.max_tokens:
            told = f"{variant.context} tokens cannot hold a reply of {study.sampling.max_tokens} (sampling.max_tokens)"
            yield f"{at}.context", f"{told} and its question: give more, or leave it out"
        if variant.base_url is not None:
            yield from _settings_of_running(at, variant)
    if study.router and not any(v.runtime == "llama_server" and v.base_url is None for v in study.variants):
        yield "router", "no variant is started with llama_server, whose router mode it is: remove it"
    if study.baseline not in names:
        yield "baseline", f'"{study.baseline}" is no variant of this study: name one of {", ".join(names)}'
    if not study.benchmarks.chosen():
        yield "benchmarks", "empty: name mmlu_pro, humaneval or both"
    yield from _decide(study)


def _decide(study: Study) -> Iterator[tuple[str, str]]:
    if study.decide.looks is not msgspec.UNSET and study.decide.mode != "group_sequential":
        yield "decide.looks", f"says nothing in mode {study.decide.mode}: remove it, or set mode: group_sequential"
    if study.decide.mode != "fixed" and len(study.variants) == 1:
        yield "decide.mode", "there is one variant only, so nothing is decided that could end early: remove it"
    fewest = min((s.questions for s in study.benchmarks.chosen().values() if isinstance(s.questions, int)), default=99)
    looks = study.decide.planned_looks
    if study.decide.mode == "group_sequential" and fewest < looks:
        yield "decide.looks", f"{looks} looks at {fewest} questions: ask more questions, or look less often"


def _runtime(at: str, variant: Variant) -> Iterator[tuple[str, str]]:
    if variant.runtime is None and variant.base_url is None:
        yield f"{at}.runtime", "missing: name a runtime to start, or the base_url of a server that runs already"
    if variant.runtime in ("openai", "vllm") and variant.base_url is None:
        yield (
            f"{at}.base_url",
            f"missing: the {variant.runtime} runtime is a server that runs already, so say where",
        )
    if variant.runtime == "lm_studio" and variant.kv_cache is not None:
        yield f"{at}.kv_cache", "LM Studio has no switch for it from outside: set it there, and remove it here"


def _settings_of_running(at: str, variant: Variant) -> Iterator[tuple[str, str]]:
    try:
        normal(variant.base_url or "")
    except ServerError as error:
        yield f"{at}.base_url", str(error)
    # A running Ollama is told the context with every request.
    for key in ("binary", "kv_cache", "args", *(() if variant.runtime == "ollama" else ("context",))):
        if getattr(variant, key):
            ollama = ", or, if it is Ollama, add runtime: ollama" if key == "context" and not variant.runtime else ""
            told = f"a server that runs already cannot be given {key}: set it there, and remove it here{ollama}"
            yield f"{at}.{key}", told


def _load(text: str, source: str) -> tuple[Any, dict[str, int]]:
    """Read YAML into plain data, with the line of every key."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[str, int] = {}
        if node is not None:
            _walk(node, "", lines, source)
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = mark.line + 1 if mark else 1
        raise StudyError(f"{source}:{where}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise StudyError(f"{source}:1: not valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{source}:1: not valid YAML: {error}") from None
    return data, lines


def _walk(node: yaml.Node, path: str, lines: dict[str, int], source: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            line = key.start_mark.line + 1
            if below in lines:
                raise StudyError(f"{source}:{line}: {below}: written twice (first on line {lines[below]}): keep one")
            lines[below] = line
            _walk(value, below, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _walk(value, f"{path}[{i}]", lines, source)


def _line(lines: dict[str, int], key: str) -> int:
    """Give the key's line, or that of the nearest thing above it that is written down."""
    while key not in lines and key:
        key = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", key)
    return lines.get(key, 1)


def _explain(error: msgspec.ValidationError, data: Any) -> tuple[str, str]:  # noqa: ANN401 - YAML can be anything
    """Turn msgspec's message into the key it speaks of and what to do."""
    problem, _, path = str(error).partition(" - at `$")
    key = path.removesuffix("`").removeprefix(".")
    if data is None:
        return "study", "missing: the file is empty"
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return _below(key, found[1]), f"unknown key: {_near(found[1], key)}"
    if found := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return _below(key, found[1]), "missing: it must be given"
    choices, value = _choices(_type_at(key)), _value_at(data, key)
    if choices and problem.startswith("Invalid enum value"):
        return key, f'"{value}" is not known here: write {" or ".join(choices)}'
    quotes = ": put it in quotes" if re.match(r"Expected `str`, got `(int|float|bool)`", problem) else ""
    problem = re.sub(r", got `\w+`$", "", problem)
    for theirs, ours in _WORDS.items():
        problem = re.sub(rf"`{theirs}`", ours, problem)
    problem = problem[0].lower() + problem[1:].replace("`", "")
    return key or "study", problem if isinstance(value, dict | list) else f"{problem}, not {value!r}{quotes}"


_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "keys with values",
    "array": "a list",
}


def _below(key: str, field: str) -> str:
    return f"{key}.{field}" if key else field


def _near(word: str, key: str) -> str:
    import difflib  # noqa: PLC0415 - only on the way to an error

    parent = _type_at(key)
    known = [field.encode_name for field in parent.fields] if isinstance(parent, inspect.StructType) else []
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}"


def _parts(key: str) -> list[str]:
    return re.findall(r"[^.\[\]]+", key)


def _value_at(data: Any, key: str) -> Any:  # noqa: ANN401 - YAML can be anything
    for part in _parts(key):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def _type_at(key: str) -> inspect.Type:
    """Follow a key such as `variants[2].thinking` through the types of a study."""
    kind = inspect.type_info(Study)
    for part in _parts(key):
        options = [_bare(option) for option in (kind.types if isinstance(kind, inspect.UnionType) else (kind,))]
        inner = next(option for option in options if isinstance(option, inspect.StructType | inspect.VarTupleType))
        if isinstance(inner, inspect.VarTupleType):
            kind = inner.item_type
        else:
            kind = next(field.type for field in inner.fields if field.encode_name == part)
        kind = _bare(kind)
    return kind


def _choices(kind: inspect.Type) -> list[str]:
    options = [_bare(option) for option in (kind.types if isinstance(kind, inspect.UnionType) else (kind,))]
    literals = [str(value) for option in options if isinstance(option, inspect.LiteralType) for value in option.values]
    return literals + ["a whole number" for option in options if isinstance(option, inspect.IntType)]


def _bare(kind: inspect.Type) -> inspect.Type:
    """Take a type out of its description."""
    return kind.type if isinstance(kind, inspect.Metadata) else kind
