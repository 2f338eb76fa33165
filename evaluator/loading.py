"""The lines with which llama-swap passes the time while it loads a model: it sends them where thoughts stand.

With `sendLoadingState: true` a stream begins so (internal/router/loading.go of mostlygeek/llama-swap), a few characters
at a time, before anything of the model:

    ━━━━━
    llama-swap loading model: NAME

    A joke about loading .....
    Done! (19.83s)
    ━━━━━
"""

import re

_RULE = "\u2501"
_WORDS = "llama-swap loading model: "
_HEAD = re.compile(rf"\s*(?:{_RULE}+\s*)?{_WORDS}[^\n]*\n")
_DONE = re.compile(rf"Done! \(\d+(?:\.\d+)?s\)[ \t]*\n?(?:{_RULE}+\n?(?: \n?)?)?")
_DOTS = re.compile(rf"[.\s{_RULE}]*")


def without_loading(thoughts: str) -> str:
    """Return thoughts without the lines of llama-swap before them; as they are where there are none."""
    head = _HEAD.match(thoughts)
    if head is None:
        return thoughts
    end = _DONE.search(thoughts, head.end()) or _DOTS.match(thoughts, head.end())
    return thoughts[end.end() :] if end else ""


def is_loading(thoughts: str) -> bool:
    """Whether what has come of a stream is nothing but such lines, or the beginning of them."""
    begun = thoughts.lstrip(f"\n {_RULE}")
    if not begun.startswith(_WORDS[: len(begun)]):
        return False
    done = _DONE.search(thoughts)
    return done is None or not thoughts[done.end() :].strip()
