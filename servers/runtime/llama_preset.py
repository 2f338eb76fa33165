"""Write the flags of a llama-server as its router reads them: an INI file with a section for each variant."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from servers.errors import SpecError
from servers.runtime import llama_server
from servers.spec import ServerSpec

_ROUTERS_OWN = (
    {"a", "alias", "host", "port", "log-file"}
    | {"api-key", "api-key-file", "ssl-key-file", "ssl-cert-file"}
    | {"models-dir", "models-preset", "models-max", "models-autoload", "no-models-autoload"}
)
"""Flags that a router sets for its models, or takes away from them."""
_SPELLINGS = (
    {"m", "model"},
    {"np", "parallel"},
    {"c", "ctx-size"},
    {"ctk", "cache-type-k"},
    {"ctv", "cache-type-v"},
    {"fa", "flash-attn"},
    {"lv", "verbosity", "log-verbosity"},
    {"rea", "reasoning"},
    {"jinja", "no-jinja"},
    {"context-shift", "no-context-shift"},
)
"""Spellings of the flags that whichquant sets and a study may override: in an INI file the last does not win."""
_FLAG = re.compile(r"--?([A-Za-z_][A-Za-z0-9_.-]*)(?:=(.*))?")
_UNWRITABLE = re.compile(r"[;#\r\n]|^\s|\s$")


def own_log(log: Path, name: str) -> Path:
    """Return where a variant's own output goes; it begins anew whenever its model is loaded."""
    return log.with_name(f"{log.stem}.{name}{log.suffix}")


def settings(spec: ServerSpec, log: Path) -> dict[str, str]:
    """Return the flags of a variant, by name, as the lines of its section.

    Raises:
        ServerError: There is no model file, or a flag that a section cannot hold or that is the router's own.
    """
    program = llama_server.find(spec)[1]
    own = _pairs(llama_server.command(replace(spec, args=()), 0, Path())[len(program) :])
    asked = _pairs(spec.args)
    if taken := sorted(_ROUTERS_OWN & asked.keys()):
        raise SpecError(f"In router mode {_dashed(taken[0])} is the router's own: take it out of args.")
    meant = set().union(*(same for same in _SPELLINGS if same & asked.keys()))
    kept = {key: value for key, value in own.items() if key not in meant | _ROUTERS_OWN}
    return {**kept, **asked, "log-file": str(log)}


def _pairs(words: Sequence[str]) -> dict[str, str]:
    """Return flags with their values; one that stands alone is true."""
    pairs: dict[str, str] = {}
    key = None
    for word in words:
        if flag := _FLAG.fullmatch(word):
            key, value = flag.groups()
            if key in pairs:
                raise SpecError(f"In router mode {_dashed(key)} can be given once only: take one out of args.")
            pairs[key] = "true" if value is None else value
            key = key if value is None else None
        elif key is None:
            raise SpecError(f"In router mode each flag takes one value: {word!r} in args is one too many.")
        else:
            pairs[key], key = word, None
    return pairs


def section(name: str, lines: Mapping[str, str]) -> str:
    """Write one variant's section of the INI file.

    Raises:
        SpecError: A value cannot be written there.
    """
    for key, value in lines.items():
        if _UNWRITABLE.search(value):
            raise SpecError(
                f"In router mode {_dashed(key)} of {name} cannot be {value!r}: llama-server reads it from an INI file, "
                "which has no way to write ;, #, the end of a line, or spaces at either end."
            )
    return "".join(f"{line}\n" for line in (f"[{name}]", *(f"{key} = {value}" for key, value in lines.items())))


def _dashed(key: str) -> str:
    return f"--{key}" if len(key) > 3 else f"-{key}"
