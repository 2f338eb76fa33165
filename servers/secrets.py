"""Take the key out of what a server sends: an error, a model's name, an answer may repeat what the server was sent."""

import base64
import functools
import html
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus

from msgspec import Struct, structs

HIDDEN = "[API key]"
"""What stands in a key's place."""
_SHORTEST = 8
"""Characters; what is shorter may be part of any text."""
_LONGEST_WORD = 15
"""Of letters alone, or of digits alone: such a key may be an ordinary word, or a number."""
_NO_SECRETS = frozenset(
    {
        *("lm-studio", "lmstudio-local", "not-needed", "not-required", "no-key-needed", "no-key-required", "no_key"),
        *("sk-no-key-required", "sk-not-needed", "your-api-key", "your_api_key", "placeholder", "api-key", "api_key"),
        *("token-abc123", "sk-xxxxxxxx", "xxxxxxxx", "test-key", "fake-key", "dummy-key", "local-key"),
    }
)
"""What people write where a server wants any key at all."""
_Received = TypeVar("_Received")


def hide(value: _Received, headers: Mapping[str, str], *, cut: bool = False) -> _Received:
    """Put `[API key]` in place of the key in a text, or in all texts within lists, mappings and structs.

    The key is found as it is, in any case of letters, and as JSON, HTML, addresses and base64 write it. One that may
    be an ordinary word (under 8 characters, up to 15 letters or 15 digits, or a known placeholder) is taken out behind
    `Bearer` only: in an answer it would be a word of the answer.

    Args:
        value: As received. What is nested too deeply to be looked through becomes None.
        headers: As sent; without a key nothing is changed.
        cut: Whether texts were cut, so that one may end in the beginning of the key.
    """
    key = _key(headers)
    return cast("_Received", _looked_through(value, key, cut)) if key else value


def reveal(body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Put the key back into the `model` of a request: a server knows its model by the whole id."""
    model = body.get("model")
    if isinstance(model, str) and HIDDEN in model:
        return {**body, "model": model.replace(HIDDEN, _key(headers) or HIDDEN)}
    return dict(body)


def _key(headers: Mapping[str, str]) -> str:
    return headers.get("Authorization", "").removeprefix("Bearer ")


def _looked_through(value: object, key: str, cut: bool) -> object:  # noqa: FBT001 - passed on as it is
    try:
        return _without(value, key, cut)
    except RecursionError:
        return None


def _without(value: object, key: str, cut: bool) -> object:  # noqa: FBT001 - passed on as it is
    if isinstance(value, str):
        text = _pattern(key).sub(HIDDEN, value)
        return _without_beginning(text, key) if cut else text
    if isinstance(value, Struct):
        fields = {name: _looked_through(getattr(value, name), key, cut) for name in value.__struct_fields__}
        return structs.replace(value, **fields)
    if isinstance(value, Mapping):
        return {_without(name, key, cut): _without(item, key, cut) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_without(item, key, cut) for item in value])
    return value


def _without_beginning(text: str, key: str) -> str:
    """Take the beginning of a key, 8 characters or more, from a text's end."""
    if _may_be_a_word(key):
        return text
    for form in _forms(key):
        for length in range(min(len(form) - 1, len(text)), _SHORTEST - 1, -1):
            if text[-length:].lower() == form[:length].lower():
                return text[:-length] + HIDDEN
    return text


@functools.cache
def _pattern(key: str) -> re.Pattern[str]:
    forms = "|".join(re.escape(form) for form in sorted(_forms(key), key=len, reverse=True))
    if _may_be_a_word(key):
        return re.compile(rf"(?<=\bBearer )(?:{forms})(?![\w-])", re.IGNORECASE)
    return re.compile(forms, re.IGNORECASE)


def _may_be_a_word(key: str) -> bool:
    simple = (key.isalpha() or key.isdigit()) and len(key) <= _LONGEST_WORD
    return len(key) < _SHORTEST or simple or key.lower() in _NO_SECRETS


@functools.cache
def _forms(key: str) -> tuple[str, ...]:
    """List how a key may be written: plainly, and within JSON, Python, HTML, an address, or base64."""
    in_json = json.dumps(key)[1:-1]
    forms = [key, in_json, in_json.replace("/", "\\/"), repr(key)[1:-1], html.escape(key)]
    forms += [quote(key), quote(key, safe=""), quote_plus(key)]
    if not _may_be_a_word(key):
        forms += [_in_base64(key, before, other) for before in range(3) for other in (b"+/", b"-_")]
    return tuple(dict.fromkeys(forms))


def _in_base64(key: str, before: int, other: bytes) -> str:
    """Write in base64 what follows `before` other bytes, such as `user:`; without letters that hold bits of others."""
    code = base64.b64encode(b"\0" * before + key.encode(), other).decode()
    return code[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
