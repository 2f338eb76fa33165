"""How an answer is announced in other languages: what stands before the letter, and what may follow it."""

import re

WORDS = (
    "antwort",
    "antwortmöglichkeit",
    "lösung",
    "réponse",
    "respuesta",
    "risposta",
    "resposta",
    "option correcte",
    "opción correcta",
    "opzione corretta",
    "opção correta",
    "alternativa correta",
    "antwoord",
    "svar",
    "svaret",
    "odpowiedź",
    "odpowiedzią",
    "odpověď",
    "cevap",
    "jawaban",
    "jawabannya",
    "đáp án",
    "ответ",
    "вариант",
    "відповідь",
    "απάντηση",
    "उत्तर",
    "الإجابة",
)
EAST_ASIAN_WORDS = ("答", "解", "确选项", "確選項", "답", "选")
_VERBS = (
    *("ist", "lautet", "wäre", "est", "es", "è", "é", "is", "är", "er", "to", "jest", "je"),
    *("adalah", "là", "είναι", "है", "هي", "-"),
)
_NOT = ("no", "non", "não", "nicht", "pas", "niet", "inte", "ikke", "nie", "değil", "bukan", "không", "не")
_OPTION = ("option", "opción", "opzione", "opção", "optie", "buchstabe", "lettre", "letra", "lettera", "вариант")
_EAST_ASIAN = (
    r"(?:答案|正解|答え|正确选项|正確選項|정답|답)(?:应该|应|應該|應)?[ ]?(?:是|为|為|は、?|은|는|[:=])"
    r"|(?:故|应|所以|因此)选(?:择)?"
)
_WORDS = rf"(?:[ ](?!(?:{'|'.join(_NOT)})\b)[^\W\d_]{{1,14}}){{0,4}}?"
_ARTICLE = r"(?-i:la|el|die|a(?=[ ]{0,2}(?![\u3001-\ud7af])[^\s.,;:!)\]]))"  # and no "a" that is the answer
ANNOUNCED = re.compile(
    rf"(?i:(?:\b(?:{'|'.join(WORDS)}){_WORDS}(?:[ ]{{0,2}}[:=]|[ ](?:{'|'.join(_VERBS)})(?!\w)|(?=[ ]option[ ]))"
    rf"|{_EAST_ASIAN})\s{{0,4}}(?:(?:{'|'.join(_OPTION)}|{_ARTICLE}|选项|選項)[ ]?){{0,2}})"
)
LETTER = re.compile(
    r"""(?x:
    ["'(\[]?[ ]?([A-Z])
    (?= [ ]?["')\]] | [.,;:!](?!\w) | \s{0,3}(?:\n|\Z) | [ ]-[ ] | [ ]?[\u3001-\ud7af] | '[a-z])
    )"""
)
ANOTHER = re.compile(
    r"""(?x:
    ["')\]]?[ ]{0,2}
    (?: [,/&、和或と와] | または | 又は | 또는 | \b(?:und|oder|et|ou|y|o|e|och|eller|en|of|and|or|и|или)\b )
    [ ]{0,2}["'(\[]?[A-Z](?!\w)
    )"""
)
DENIED = re.compile(
    r"[\"')\]]?[ ]?(?:ではあり|では?ない|じゃ|でない|이? ?아니|가 아니|이 아닙|가 아닙|değil|不是|不对|不正确)"
)


def may_announce(plain: str) -> bool:
    """Whether any of the words is there at all; six times faster than to look with the pattern."""
    lowered = plain.lower()
    return any(word in lowered for word in (*WORDS, *EAST_ASIAN_WORDS))
