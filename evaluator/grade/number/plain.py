r"""A reply without its markup: what is left of Markdown, LaTeX and currencies is digits, operators and words."""

import re

BOX, BRACE = "\x01", "\x02"  # stand for `\boxed{` and `}`
# In this order; plain replacements, which are many times faster than patterns and str.translate.
_REPLACED: tuple[tuple[str, str], ...] = (
    *((mark, "") for mark in (BOX, BRACE, "**", "__", "`", "\r", "\u200b", "\u200e", "\u200f", "\ufe0f", "\ufeff")),
    *((tag, "\n") for tag in ("<br>", "<br/>", "<br />")),
    *((f"<{slash}{name}>", "") for name in ("b", "i", "u", "em", "strong", "p") for slash in ("", "/")),
    *(("\u00a0", " "), ("\u202f", " "), ("\u2009", " ")),
    *(("\u2212", "-"), ("\u2013", "-"), ("\u2014", " - "), ("\u2018", "'"), ("\u2019", "'")),
    *(("\u201c", '"'), ("\u201d", '"'), ("\uff1a", ":"), ("\u3002", ". "), ("\uff0c", ", "), ("\uff1d", "=")),
    *((chr(0xFF10 + digit), str(digit)) for digit in range(10)),  # full-width digits
    *(("\u00d7", "*"), ("\u22c5", "*"), ("\u00b7", "*"), ("\u00f7", "/"), ("\u2248", "=")),
)
_REPLACED_IN_LATEX: tuple[tuple[str, str], ...] = (
    *((boxed, BOX) for boxed in ("\\boxed{", "\\boxed {", "\\fbox{")),
    *((rf"\{name}{{", "") for name in ("text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathsf")),
    *(("{,}", ","), ("^\\circ", ""), ("\\left", ""), ("\\right", "")),
    *(("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("\\approx", "=")),
    *((command, " ") for command in ("\\quad", "\\qquad", "\\;", "\\:", "\\ ", "\\,", "~")),
    *((bracket, "") for bracket in ("\\(", "\\)", "\\[", "\\]", "\\!")),
)
_FRACTION = re.compile(r"([0-9]?)[ ]?\\[dt]?frac[ ]?\{[ ]?([0-9]{1,9})[ ]?\}[ ]?\{[ ]?([0-9]{1,9})[ ]?\}")
_THOUSANDS_APART = re.compile(r"(?<=[0-9])\\[,!;](?=[0-9]{3}(?![0-9]))")
_ANNOTATION = re.compile(r"<<[^<>\n]{0,200}>>")  # "<<9*2=18>>18", as the data set's own solutions have it
_CURRENCY = re.compile(r"(?<![A-Za-z])(?:US|CA|AU?)?[$](?=[ ]?[-0-9.])|[$\u20ac\u00a3\u00a5\u20b9][ ]?(?=[-0-9.])")
_ITALIC = re.compile(r"(?<![0-9*])(?<![0-9)] )\*(?=[^\s*])([^*\n]{1,60})(?<=[^\s*])\*(?![0-9*])")
_SIGNS = "$\u20ac\u00a3\u00a5\u20b9"


def without_markup(text: str) -> str:
    r"""Take markup and calculators' annotations out, in linear time; `\boxed{` and `}` become one character each."""
    if "<<" in text:
        text = _ANNOTATION.sub("", text)
    for mark, plain in _REPLACED:
        text = text.replace(mark, plain)
    if "*" in text:
        text = _ITALIC.sub(r"\1", text)
    if "\\" in text:
        text = _THOUSANDS_APART.sub(",", text)
        text = _FRACTION.sub(
            lambda match: f"{match[1]} {match[2]}/{match[3]}" if match[1] else f"{match[2]}/{match[3]}", text
        )
        for command, plain in _REPLACED_IN_LATEX:
            text = text.replace(command, plain)
        text = text.replace("{", "").replace("}", BRACE)
    text = _CURRENCY.sub("", text)
    for sign in _SIGNS:
        text = text.replace(sign, "")
    return text.replace("\\", "")
