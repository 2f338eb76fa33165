"""Explain why a server did not start, from its log and exit code, and what to do about it."""

import re
import signal

_CAUSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"out of memory|OutOfMemory|failed to allocate|unable to allocate|cannot allocate memory|std::bad_alloc|"
            r"\bMemoryError\b|exceeds? .*memory (?:limit|budget|ceiling)|insufficient (?:memory|system resources)",
            re.IGNORECASE,
        ),
        (
            "There is not enough memory for this model: choose a smaller build, a smaller context, "
            "or fewer questions at once (concurrency), or close other programs."
        ),
    ),
    (
        re.compile(
            r"unknown model architecture|Model type \S+ not supported|unknown pre-tokenizer type", re.IGNORECASE
        ),
        "This build of the server does not know the model's architecture: update it.",
    ),
    (
        re.compile(
            r"(?:(?:unknown|invalid|unrecognized) arguments?:?\s+|wheel does not know )(-[\w-]*)", re.IGNORECASE
        ),
        "The server does not know the argument {0}: update it, or take the argument out of args.",
    ),
    (
        re.compile(
            r"chat template parsing error|failed to initialize chat template|supplied chat template is not supported|"
            r"common_chat_templates_init: error|TemplateSyntaxError|TemplateError|"
            r"chat_template is not set|Expected an expression, got|Encountered unknown tag|Unexpected end of template",
            re.IGNORECASE,
        ),
        (
            "The model's chat template does not work in this server: give another with --chat-template-file "
            "(llama-server) or in the model's chat_template.jinja (MLX), or update the server."
        ),
    ),
    (
        re.compile(
            r"invalid magic|tensor .{0,200}not within the file bounds|gguf_init_from_file|failed to read|corrupt|"
            r"HeaderTooLarge|SafetensorError|InvalidHeader|missing tensor",
            re.IGNORECASE,
        ),
        "The model's file cannot be read, or is incomplete: fetch it again.",
    ),
)
"""Patterns in the log of a server that cannot start, and what they mean, with what a group caught; the first counts."""
_ENDS: dict[int, str] = {
    signal.SIGILL: (
        "It met an instruction that this processor does not have: it was built for another one, install another build."
    ),
    signal.SIGKILL: (
        "Something killed it, most often the system for want of memory: choose a smaller build, a smaller context, "
        "or fewer questions at once (concurrency)."
    ),
    signal.SIGSEGV: "It crashed: update it, or try another build of the model.",
}


def cause(log: str, code: int = 0) -> str | None:
    """Explain why a server did not start; None where neither log nor code shows it.

    Args:
        log: What it wrote.
        code: Its exit code; above 128 the signal that ended it.
    """
    found = ((sentence, pattern.search(log)) for pattern, sentence in _CAUSES)
    from_log = next((sentence.format(*match.groups()) for sentence, match in found if match), None)
    return from_log or _ENDS.get(code - 128)
