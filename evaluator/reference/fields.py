"""What a noun's fields are: type, default and meaning, as its source states them."""

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, Struct, UnsetType

SAME_EVERYWHERE = {
    "variant": "Name of the variant in the study.",
    "baseline": "Name of the baseline in the study.",
    "time": "When: UTC, ISO 8601.",
    "exit_code": "Exit code of the command.",
    "outcome": "How it is graded.",
    "benchmark": "`mmlu_pro`, `humaneval` or `gsm8k`.",
}
"""What these fields mean in every noun that does not say otherwise."""
_PLAIN: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Any: "anything",
}
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "max_length": "length at most"}

Titles = Mapping[type[Struct], str]
"""Under which heading of the page each noun is described."""


class Field(NamedTuple):
    """One field of a noun, in Markdown."""

    name: str
    type: str
    default: str
    """Empty where the field must be given."""
    meaning: str


def fields(noun: type[Struct], titles: Titles) -> Iterator[Field]:
    """Yield a noun's fields, in their order.

    Raises:
        ValueError: a field has neither a description nor a docstring.
    """
    docstrings, hints = _docstrings(noun), get_type_hints(noun, include_extras=True)
    for field in msgspec.structs.fields(noun):
        hint = hints[field.name]
        meaning = " ".join([*_descriptions(hint), docstrings.get(field.name, "")]).strip()
        meaning = meaning or SAME_EVERYWHERE.get(field.name, "") or _about(hint)
        if not meaning:
            raise ValueError(f"{noun.__module__}.{noun.__name__}.{field.name} is not described")
        type_ = "; ".join([_name(hint, titles), *_limits(hint)])
        yield Field(field.name, type_, _default(field), as_json(meaning[0].upper() + meaning[1:]))


def reached(noun: type[Struct], path: str = "") -> dict[type[Struct], str]:
    """Return a noun and all that it is made of, each once, with the keys that lead there."""
    found = {noun: path}
    for one in (waiting := [noun]):  # grows while it is gone through
        for key, hint in get_type_hints(one).items():
            new = [inner for inner in _nouns(hint) if inner not in found]
            found |= {inner: f"{found[one]}.{key}".strip(".") for inner in new}
            waiting += new
    return found


def as_json(sentence: str) -> str:
    """Return a sentence in the words of JSON and YAML."""
    return re.sub(r"\bNone\b", "null", sentence)


def _nouns(hint: object) -> Iterator[type[Struct]]:
    """Yield every noun that a type holds."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for part in get_args(hint):
        yield from _nouns(part)


def _about(hint: object) -> str:
    """Return what the one noun of a type is, in its own words; empty where there is none."""
    return next((inspect.cleandoc(inner.__doc__ or "").partition("\n")[0] for inner in _nouns(hint)), "")


def _name(hint: object, titles: Titles) -> str:
    """Return a type in plain words; a noun as a link to its section."""
    parts = [_name(part, titles) for part in get_args(hint) if part not in (UnsetType, ...)]
    origin = get_origin(hint)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return f"[{titles[hint].removesuffix('.md')}]({anchor(titles[hint])})"
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in get_args(hint))
    if origin in (Union, types.UnionType):
        return " or ".join(parts)
    if origin is tuple:
        return f"list of {parts[0]}" if ... in get_args(hint) else " and ".join(parts)
    if origin is dict:
        return f"object, by {parts[0]}: {parts[1]}"
    return parts[0] if origin is Annotated else _PLAIN.get(hint, "")


def anchor(title: str) -> str:
    """Return the link to a heading, as GitHub makes it; a page's name is a link already."""
    return title if title.endswith(".md") else "#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _metas(hint: object) -> Iterator[Meta]:
    if isinstance(hint, Meta):
        yield hint
    for part in get_args(hint):
        yield from _metas(part)


def _descriptions(hint: object) -> Iterator[str]:
    yield from (f"{meta.description}." for meta in _metas(hint) if meta.description)


def _limits(hint: object) -> Iterator[str]:
    """Yield what a value may not exceed, in words."""
    for meta in _metas(hint):
        for key, words in _LIMITS.items():
            if (limit := getattr(meta, key)) is not None:
                yield f"{words} {limit:,}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    if default is UNSET or default in (None, (), {}, ""):
        return "none"
    return "see there" if isinstance(default, Struct) else f"`{msgspec.json.encode(default).decode()}`"


def _docstrings(noun: type[Struct]) -> dict[str, str]:
    """Read the strings that stand behind a noun's fields."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(noun))).body
    found: dict[str, str] = {}
    for field, text in pairwise(body.body if isinstance(body, ast.ClassDef) else []):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found
