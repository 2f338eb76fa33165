"""Distinguish a refusal from an answer that could not be read. Only asked where no answer was found."""

import re
from functools import cache

_LOOKED_AT = 300
"""Characters from the beginning: a refusal stands there."""
_BEGINS = r"(?:\A|[.!?;:,\n-]\s{0,3}|\b(?:but|and|so|that|unfortunately|however|therefore),? )"
_UNABLE = (
    r"(?:cannot|can't|can not|won't|will not|do not|am unable to|am not (?:able|allowed|permitted|willing|going) to"
    r"|do not (?:wish|want) to|would (?:rather|prefer) not(?: to)?|cannot in good conscience|cannot and will not)"
)
_ASKED = (
    r"(?:help|assist|answer|respond|reply|provide|fulfil|comply|complete|do (?:that|this|it|so)|write|discuss|engage"
    r"|continue|offer|give|create|generate|participate|support|share|proceed|advise|take part|endorse|produce)"
)
_REFUSES = (
    rf"{_BEGINS}(?:i (?:really |simply |just )?{_UNABLE} (?:be able to )?{_ASKED}"
    r"|i (?:must|have to|need to|will|would)? ?(?:respectfully )?(?:decline|refuse)\b"
    r"|i (?:am not|do not feel) comfortable|it (?:is|would be) (?:inappropriate|unethical|not appropriate) for me"
    r"|as an? (?:ai|(?:large )?language model)\b)"
)
_ELSEWHERE = (  # German, Spanish, French, Italian, Portuguese, Russian, Chinese, Japanese, Korean
    *("es tut mir leid, aber ich kann", "ich kann diese", "ich kann dabei nicht", "ich kann ihnen", "tut mir leid, "),
    *("lo siento, ", "no puedo ayudar", "no puedo responder", "je suis désolé", "désolé, ", "je ne peux pas"),
    *("mi dispiace, ", "non posso ", "sinto muito", "desculpe, ", "não posso "),
    *("извините, ", "к сожалению, я не могу", "я не могу "),
    *("对不起", "抱歉", "很抱歉", "我无法", "我不能", "申し訳", "すみません", "죄송"),
)


def refuses(text: str) -> bool:
    """Whether a reply without a readable answer declines to give one, judged by how it begins."""
    start = text.lstrip()[:_LOOKED_AT].replace("\u2019", "'").replace("\u2014", "-").lower()
    start = start.replace("i'm ", "i am ").replace("i'd ", "i would ").replace("don't", "do not").lstrip("*_#> \"'")
    return bool(_refusal().search(start)) or start.startswith(_ELSEWHERE)


@cache  # it takes longer to compile than a run of a few questions has need of it
def _refusal() -> re.Pattern[str]:
    return re.compile(_REFUSES)
