"""Read a study file: YAML in, a frozen Study out; every mistake is one sentence with its line and key."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from evaluator.benchmarks import BENCHMARKS
from evaluator.errors import StudyError
from evaluator.study.study import Study, Variant
from evaluator.study.unlike import not_a_study, with_runtimes
from evaluator.study.yaml import line_of, read_yaml
from servers.errors import ServerError
from servers.request import bearer, normal_url
from servers.secrets import hide

_Problem = tuple[str, str, str]
"""A key, what is wrong with it, and what to do."""


StudySource = Study | Mapping[str, Any] | str | Path
"""A study, the mapping that its YAML would be, or the path of its file."""


class LoadedStudy(Struct, frozen=True, kw_only=True):
    """A study and its source."""

    study: Study
    text: str
    """Its YAML, which is kept with the results. Built from a mapping or a `Study` where there is no file."""
    source: str
    """Its name in messages: the file's path, or `the study` where there is no file."""
    base: Path
    """Folder that relative paths in it start from."""


def load_study(source: StudySource, *, asking: bool = True) -> LoadedStudy:
    """Read a study and check it.

    Args:
        source: Path of a YAML file, or the study itself, as a `Study` or as the mapping that its YAML would be.
            Relative paths in it start from the file's folder, else from the working directory.
        asking: Whether questions are to be asked, so that there must be some.

    Raises:
        StudyError: The file cannot be read, is not valid YAML, or contradicts itself; with file, line and key.
    """
    if isinstance(source, Study | Mapping):
        text = yaml.safe_dump(msgspec.to_builtins(source), sort_keys=False, allow_unicode=True)
        study = parse(text, "the study", asking=asking)
        _refuse_key(study, text, "the study")
        return LoadedStudy(study=study, text=text, source="the study", base=Path())
    path = Path(source)
    try:
        unlike = not_a_study(path)
        if unlike:
            raise StudyError(unlike[0], source=path, remedy=unlike[1])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise StudyError(problem, source=path, remedy="give the path of a study file") from None
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
        raise StudyError(problem, source=path, remedy="save it as UTF-8") from None
    study = parse(text, str(path), path.parent, asking=asking)
    _refuse_key(study, text, str(path))
    return LoadedStudy(study=study, text=text, source=str(path), base=path.parent)


def parse(text: str, source: str, base: Path = Path(), *, asking: bool = True) -> Study:
    """Parse a study's YAML; `source` names it in messages, `base` is the folder that its paths start from.

    Raises:
        StudyError: It is not valid; with file, line and key.
    """
    document = read_yaml(text, source, Study, top="study")
    study = with_runtimes(document.value, base)
    for problem in _contradictions(study, asking=asking):
        raise document.error(*problem)
    return study


def yaml_of(study: Study) -> str:
    """Write a study as the YAML of its file; what it leaves to the defaults is left out."""
    return yaml.safe_dump(_set_by(study), sort_keys=False, allow_unicode=True, width=100)


def _set_by(value: object) -> Any:  # noqa: ANN401 - plain data of any shape
    """Give as plain data what a struct holds beside its defaults."""
    if not isinstance(value, Struct):
        return [_set_by(item) for item in value] if isinstance(value, tuple) else value
    fields = ((field, getattr(value, field.name)) for field in msgspec.structs.fields(value))
    return {field.encode_name: _set_by(held) for field, held in fields if field.required or held != field.default}


def _refuse_key(study: Study, text: str, source: str) -> None:
    """Refuse a study in whose text a key stands, since the text is kept with the results.

    Raises:
        StudyError: It holds what one of its variables holds, or a key where a variable is to be named.
    """
    for i, variant in enumerate(study.variants):
        try:
            without = hide(text, bearer(variant.api_key_env)).splitlines()
        except ServerError as error:
            key = f"variants[{i}].api_key_env"
            raise StudyError(
                error.problem, source=source, line=line_of(text, key), key=key, remedy=error.remedy
            ) from None
        for number, (line, hidden) in enumerate(zip(text.splitlines(), without, strict=True), 1):
            if line != hidden:
                problem = f"holds the key that the environment variable {variant.api_key_env} holds, and would be kept"
                raise StudyError(problem, source=source, line=number, remedy="remove it from the study")


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of a study file, for editors."""
    return msgspec.json.schema(Study)


def _contradictions(study: Study, *, asking: bool) -> Iterator[_Problem]:
    names = [variant.name for variant in study.variants]
    for i, variant in enumerate(study.variants):
        yield from _variant(f"variants[{i}]", variant, names[:i], study.sampling.max_tokens)
    if study.router and not any(v.runtime == "llama_server" and v.base_url is None for v in study.variants):
        yield "router", "no variant is started with llama_server, whose router mode it is", "remove it"
    if study.baseline not in names:
        yield "baseline", f'"{study.baseline}" is no variant of this study', f"name one of {', '.join(names)}"
    yield from _benchmarks(study, names, asking=asking)
    yield from _decide(study)


def _benchmarks(study: Study, names: list[str], *, asking: bool) -> Iterator[_Problem]:
    fidelity = study.benchmarks.fidelity
    if isinstance(fidelity, msgspec.UnsetType):
        if not study.benchmarks.chosen():
            yield "benchmarks", "empty", f"name one or more of {', '.join(BENCHMARKS)}"
        return
    if asking and not study.benchmarks.chosen():
        remedy = f"whichquant fidelity measures it; to ask questions, name one or more of {', '.join(BENCHMARKS)}"
        yield "benchmarks", "fidelity alone asks no questions", remedy
    for name in fidelity.own_references:
        if name not in names:
            at = f"benchmarks.fidelity.own_references.{name}"
            yield at, f'"{name}" is no variant of this study', f"name one of {', '.join(names)}"


def _variant(at: str, variant: Variant, names: list[str], max_tokens: int) -> Iterator[_Problem]:
    """Find what is wrong with a variant that comes after those of these names."""
    if any(word.partition("=")[0] == "--api-key" for word in variant.args):
        yield f"{at}.args", "a key would be written into the run", "name its variable in api_key_env instead"
    if variant.name in names:
        first = names.index(variant.name)
        yield f"{at}.name", f'"{variant.name}" is the name of variants[{first}] already', "give each its own"
    if variant.name.lower() in [name.lower() for name in names]:
        yield f"{at}.name", f'"{variant.name}" differs from another name in case only', "give each its own"
    yield from _runtime(at, variant)
    if variant.context is not None and variant.context <= max_tokens:
        reply = f"a reply of {max_tokens} (sampling.max_tokens) and its question"
        yield f"{at}.context", f"{variant.context} tokens cannot hold {reply}", "give more, or leave it out"
    if variant.base_url is not None:
        yield from _settings_of_running(at, variant)


def _decide(study: Study) -> Iterator[_Problem]:
    if study.decide.looks is not msgspec.UNSET and study.decide.mode != "group_sequential":
        yield "decide.looks", f"says nothing in mode {study.decide.mode}", "remove it, or set mode: group_sequential"
    if study.decide.mode != "fixed" and len(study.variants) == 1:
        yield "decide.mode", "there is one variant only, so nothing is decided that could end early", "remove it"
    fewest = min((s.questions for s in study.benchmarks.chosen().values() if isinstance(s.questions, int)), default=99)
    looks = study.decide.planned_looks
    if study.decide.mode == "group_sequential" and fewest < looks:
        yield "decide.looks", f"{looks} looks at {fewest} questions", "ask more questions, or look less often"


def _runtime(at: str, variant: Variant) -> Iterator[_Problem]:
    if not variant.model and variant.base_url is None:
        yield f"{at}.model", "missing", "it must be given; only a server that runs already may be asked for its own"
    if variant.runtime is None and variant.base_url is None:
        yield f"{at}.runtime", "missing", "name a runtime to start, or the base_url of a server that runs already"
    if variant.runtime in ("openai", "vllm") and variant.base_url is None:
        where = f"the {variant.runtime} runtime is a server that runs already, so say where"
        yield f"{at}.base_url", "missing", where
    if variant.runtime == "lm_studio" and variant.kv_cache is not None:
        yield f"{at}.kv_cache", "LM Studio has no switch for it from outside", "set it there, and remove it here"


def _settings_of_running(at: str, variant: Variant) -> Iterator[_Problem]:
    try:
        normal_url(variant.base_url or "")
    except ServerError as error:
        yield f"{at}.base_url", error.problem, error.remedy
    # A running Ollama gets the context with every request.
    for key in ("binary", "kv_cache", "args", *(() if variant.runtime == "ollama" else ("context",))):
        if getattr(variant, key):
            ollama = ", or, if it is Ollama, add runtime: ollama" if key == "context" and not variant.runtime else ""
            problem = f"a server that runs already cannot be given {key}"
            yield f"{at}.{key}", problem, f"set it there, and remove it here{ollama}"
