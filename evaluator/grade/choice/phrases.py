"""How models say which option they take: patterns over a reply without its markup, each bounded in what it reads."""

import re

from evaluator.grade.choice.guarded import Guarded

BOX, BRACE = "\x01", "\x02"  # stand for `\boxed{` and `}` once markup is off

# Every alternative begins with one plain character, for which `re` looks fast.
ANCHOR = re.compile(
    f"{BOX}|answer|Answer|ANSWER|option|Option|OPTION|choice|Choice|CHOICE|Ans\\.?(?=:|[ ][(\\[])"
    r"| (?:is|must be)(?= (?:[a-z]{1,12} ){0,5}(?:correct|right|best|answer|choice|option|appropriate|accurate))"
    r"| (?:choose|select|pick|chose|with|for)(?= [\"'(]?[A-Z])| (?:leav|mak)(?:es|ing)(?= )"
)
ANNOUNCED = re.compile(
    r"""(?ix:
    (?:[ ](?:choice|option|letter))?
    (?:[ ](?:here|(?:that|which|to|for|among|from|of|in|based|given|according|we|I|with|by)
      (?:[ ][\w'"/(),%-]{1,24}){0,12}?))?
    (?:,?[ ](?:therefore|thus|then|hence),?|,[ ][^,.:\n]{1,50},)?
    (?: \s{0,6} (?: (?:is|of|(?P<would>would[ ]be)|(?:should|must|will|has[ ]to|can[ ]only)[ ]be)\b | 's\b
        | (?:appears|seems|turns[ ]out|comes[ ]out)[ ]to[ ]be\b | ["']?(?:=>|[:=>]) | -{1,2}>?)
      | [ ]?\|(?=[ ]) | (?=\s{0,3}\n) | (?P<beside>(?=[ ]?[(\[]|[ ][A-Z][.]?\s{0,3}(?:\n|\Z))) )
    # The last three: a cell of a table, a heading, a bracket or the line's only letter right behind the word.
    [\s:\x02]{0,8} (?P<content>)
    (?:not[ ]\(?[A-Z]\)?,?[ ]but[ ])?
    (?:(?:therefore|thus|hence|clearly|definitely|most|likely|probably|simply|indeed|actually|then|now|given|by
         |to[ ]be|(?:closest|nearest)[ ]to|approximately|about|roughly|either|both|option|choice|letter|the|answer|is)\b
         [\s:,]{1,6}){0,4}
    )"""
)
LETTERED = re.compile(r" [(\[](?:(?i:option|choice) )?([A-Za-z])[)\]][.\s]{0,3}\Z")  # "42 (C)"
IN_THE_BOX = re.compile(r"(?i:\s{0,3}(?:(?:bf|rm|option|choice|answer)\b[\s:]{0,3}){0,2})")
VALUE_FIRST = re.compile(  # "42, which is option C", "42, or (C)."
    r"""(?ix:
    (?:[^.\n]|\.\d){1,200}? (?: ,?[ ]which[ ](?:is|matches|means|corresponds[ ]to)[ ](?:(?:option|choice)[ ]|(?=\())
      | [ ]\((?=option|choice)(?:option|choice)[ ](?![^\n.]{0,200}\((?:option|choice)[ ]) )
    | (?:(?!\([A-Z]\)|not[ ])[^.\n]|\.\d){1,200}? ,[ ]or[ ](?:option[ ])?(?=\([A-Z]\)\.?\s{0,3}(?:\n|\Z))
    )"""
)
LETTER = re.compile(
    r"""(?x:
    ["']? (?: \([ ]?([A-Za-z])[ ]?\) | \[{1,2}[ ]?([A-Z])[ ]?\]
      | \(?([A-Z])
        # What may follow a bare letter, so that it is no article, pronoun, unit, variable or beginning of a name:
        (?= ["']?\x02{0,3} (?: (?<=\x02)(?![ ]?[\^=]|\w) | \s{0,4}\Z | [ ]{0,5}[\n(<|] | [ ]?[.!](?![\w.])
          | \.{2,3}(?!\w) | [,;:)\]](?!\w) | [ ]{0,2}[^\x00-\x7f\w]
          | [ ]{1,3}\x02 | [ ]{1,3}-[ ] | (?<=["'])(?!\w)
          | [ ](?i:because|since|as|for|due|with|which|based|given|or|and|is|but|rather|instead|although|though)\b ))
    ) \)? (?!["'\x02 )\]]{0,3}\?)
    )"""
)
ANOTHER = re.compile(
    r"""(?x:
    [\x02"' ]{0,4} (?:,[ ]?)? (?:(?:(?i:and/or|or|and|as[ ]well[ ]as|along[ ]with|plus)\b|[,/&+])[ ]{0,2} | (?=\())
    (?i:(?:possibly|perhaps|maybe|even|option)[ ])?
    (?: \(([A-Za-z]|[IVX]{2,4})\) | ([A-Z]|[IVX]{2,4})(?=\x02|\W|\Z)(?!'|[ ](?!(?:and|or|are|is|as)\b)\w) )
    )"""
)
ANOTHER_SMALL = re.compile(
    r"[\"' ]{0,4}(?:,? (?:or|and)|[,/&]) ?[\"']?([a-j])(?=[\"').,;]{0,2}(?:\s|\Z))"
)  # "(b) or c"
ALSO = re.compile(  # "(D) is also correct"
    r"(?i:[\"')\]]{0,3}[.,;]?\s{0,3}(?:but |and |however,? |though )?(?:option |choice )?\(?(?-i:([A-Z]))\)?"
    r" (?:is|are|would be|could be) (?:also|equally|both) )"
)
TAKEN_BACK = re.compile(
    r"""(?ix:
    [\x02"' ]{0,4} (?:,[ ]?which[ ])?
    (?: (?:is|was|looks|seems)(?:[ ](?:also|clearly|definitely|simply|just|actually|obviously|therefore))?
        (?:n't | [ ](?:not|partially|partly|incorrect|invalid|inaccurate|wrong|false|impossible|eliminated|excluded
          |ruled)\b)
      | (?:cannot|can't|can[ ]not|doesn't|does[ ]not)\b
      | (?:(?:only[ ])?if(?![ ](?:I|we|you)\b)|when|unless|provided|assuming)\b )
    )"""
)
MENTIONED = re.compile(
    r"[\x02\"' ]{0,4}(?:is|was|looks|seems|would|could|may|might|has)\b"
    r"(?! (?:(?:the|most|indeed) ){0,3}(?:correct|right|best|answer|appropriate|accurate)\b)"
)
LISTED = re.compile(r"[^\n]{0,300}\n\s{0,4}[\"'(\[]?([A-Z])[.):\]]")
CALLED = re.compile(
    r"""(?ix:
    [ ] (?:(?:therefore|thus|hence|clearly|indeed|actually|definitely|then|the|my|most|only|single)[ ]){0,4}
    (?: (?P<the>(?:(?:correct|right|best|final|appropriate|suitable|accurate)[ ]){0,2}(?:answer|choice|option)\b
          (?![ ]?(?:\?|(?:if|only|when|about|unless)\b)))
      | (?:correct|right|best|appropriate|accurate)
          (?=[\x02"')]{0,3}(?:\s{0,3}\Z|[.!;:\n]|,(?![ ](?:but|if|only)\b)|[ ](?:because|since|as)\b)) )
    )"""
)
SUBJECT = re.compile(
    r"""(?x:
    (?P<opening> \A\s{0,3}(?:-[ ])? | [\n.!?:;>]\s{0,3}(?:-[ ])? | ,[ ](?=\()
      | \b(?i:so|therefore|thus|hence|consequently|then|that|only|clearly|means|think|believe|conclude),?[ ] )?
    (?P<noun>\b(?i:option|choice)[ ])?
    (?P<letter>["']?(?:\([A-Za-z]\)|\[[A-Z]\]|\b[A-Z](?!['\w])))
    )"""
)
CHOOSES = re.compile(  # "I'd go with"
    r"(?i:\b(?:I|we|I'd|I'll|I'm|we'd|let's)(?: (?:would|will|must|should|therefore|thus|have to)){0,2}"
    r" (?:choose|select|pick|chose|(?:go|going) with|opt for))\Z"
)
CHOSEN = re.compile(r"(?i:\b(?:choose|select|pick|chose|go(?:ing)? with)(?: the)? )\Z")
DOES_BEST = re.compile(
    r"[ ](?:\(([A-Z])\)|([A-Z])) (?:best|correctly|accurately|most (?:accurately|closely|likely|correctly)) [a-z]{3}"
)
PRAISED_NOUN = re.compile(
    r"(?i:\b(?:correct|right|best|closest|nearest|final|appropriate|suitable|accurate|likely|plausible|only|my)"
    r"(?: answer| matching| possible)? )\Z"
)
THAT_FITS = re.compile(
    r"(?i:[ ](?:that|which) (?:(?:best|most|closely|correctly|accurately|is|also) ){0,3}"
    r"(?:match|fit|describ|correspond|represent|answer|reflect|align|satisf|correct|closest))"
)
_NOT_MEANT = re.compile(
    r"""(?ix:
    (?:\b(?:not|never|neither|doubt|cannot|wrong|mistake|mistakenly|wrongly|tempting|tempted
        |eliminat(?:e|es|ed|ing)|rul(?:e|es|ed|ing)[ ]out|reject(?:s|ed|ing)?|discard(?:s|ed|ing)?)|n't)
    (?:[ ](?!(?:so|then|therefore|thus|hence|and|but|leaves|leaving)\b)[\w']{1,20}){0,6}[ ]\Z
    | \b(?:if|whether|unless|suppose|supposing|assume|assuming|claims|claimed|says|said|why
      |(?:(?:might|may|could|often|people|students|many|some|they)[ ]){1,2}
        (?:think|say|guess|argue|believe|conclude|expect|choose|pick|select))
      (?:[ ]that)?(?:[ ](?:the|my))?(?:[ ](?:correct|right|final|best))?[ ]\Z
    )"""
)
NOT_MEANT = Guarded(
    _NOT_MEANT,
    (
        *(
            "not",
            "never",
            "neither",
            "doubt",
            "wrong",
            "mistake",
            "tempt",
            "eliminat",
            "rul",
            "reject",
            "discard",
            "n't",
        ),
        *("if", "whether", "unless", "suppos", "assum", "claim", "sa", "why", "think", "guess", "argue", "believe"),
        *("conclude", "expect", "choose", "pick", "select", "n't"),
    ),
)
_CLAUSE_BREAK = re.compile(r"[.!?](?!\d)|[;\n]|(?i:\b(?:so|therefore|thus|hence|but)\b)")
_UNREAL = Guarded(
    re.compile(r"(?i:\b(?:if|unless|suppose|supposing|otherwise|without|had|were|then|case)\b)"),
    ("if", "unless", "suppos", "otherwise", "without", "had", "were", "then", "case"),
)
_IF_IT_WERE = Guarded(re.compile(r"(?i:\bif\b.*\b(?:were|had|would)\b)"), ("if",))
CORRECTION = re.compile(r"(?i:\b(?:no|not|wait|actually|sorry|rather|instead|mistake|but|however|correction|hmm)\b)")
FILLER = re.compile(
    r"(?i:[\W_]{0,40}(?:(?:final|therefore|thus|hence|so|the|my|correct|best|answers?|response|is|are|in|conclusion|and"
    r"|a|option|choice|here)\b[\W_]{0,40}){0,10})"
)
NEXT_PART = re.compile(  # "(b) The volume is ..."
    r"""(?x:
    [\s.,;:]{0,6} (?: \(?(?:[b-j]|ii|iii|iv|[2-9])\)[ ] | (?<=\n)[2-9]\.[ ]
      | (?i:for[ ])?(?i:part|question|problem|statement)[ ]\(?(?:[b-j2-9]|ii|iii|iv)\b )
    )"""
)
_RECAP = (
    r"(?:[cC]ombin|[sS]ummari|[cC]onsider|[cC]ollect|[cC]ompil|[lL]ist)[a-z]{0,5}"
    r"(?:(?: [a-z]{1,8}){0,5}? all\b[^\n]{0,25}\b(?:answers|questions)\b| (?:the |my )?(?:final )?answers\b)"
)
_NEXT_LINE = r"""(?x: [#\ \t>]{0,6} (?: (?:\d{1,3}[.)][ ])?(?i:question|problem|instruction|exercise)\b[^\n:]{0,20}:
          | Q\d{0,3}[:.][ ] | (?:Human|User|USER)[ ]?: | The[ ]following[ ](?:are|is)[ ](?:a[ ])?multiple
          | (?:Another|Next)[ ]question\b | (?i:question|problem|exercise|example)[ ]\d{1,3}\s{0,3}[\n.:]
          | (?i:options|choices):?[ ]{0,3}\n\s{0,3}\(?A[.):] | (?<=\#[ ])(?i:question|problem|instruction|input)\b ))"""
_NEXT_TURN = (
    r"\[INST|<(?:[|\uff5c]?(?:im(?:end|start)|eotid|end(?:of|\u2581of)|endof(?:text|turn)|startof|startheader|EOSTOKEN|eos>)"
    r"|\|(?:end|user|assistant|system)\||/s>)"
)
RUN_ON = Guarded(  # what follows is no longer about this question
    re.compile(
        rf"\n(?:{_NEXT_LINE}|{_RECAP})|[ ]{_RECAP}|\u603b\u7ed3[^\n]{{0,10}}(?:\u7b54\u6848|\u95ee\u9898)"
        rf"|user\n\n|assistant\n\n|[ ](?<=[.)][ ])Question:[ ]|{_NEXT_TURN}"
    ),
    ("answers", "questions", "\u603b\u7ed3", "user\n\n", "assistant\n\n", " question: "),
    otherwise=re.compile(rf"\n{_NEXT_LINE}|{_NEXT_TURN}"),
)
SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s|\n")
CLOSING = re.compile(
    r"""(?ix:
    (?: (?:\b(?:is|are|be) | [:>])
        (?:[ ](?:therefore|thus|then|clearly|definitely|indeed|probably|most|likely)){0,3} [ ]?
        (?P<option>(?:option|choice)[ ])?
      | \b(?:in|by|with|to|as|match(?:es)?)[ ](?:the[ ])?(?P<named>option|choice)[ ] | \b(?:closest|nearest)[ ]to[ ]
      | (?P<so>\A[ "']?(?:(?:so|therefore|thus|hence|consequently|finally|\u2234),?[ ]
        |(?=(?:i[ ](?:think|believe|guess)|i'd[ ]say|it's|it[ ](?:is|must)|choose|select|pick|going[ ]with)\b)))
        (?:(?:it|is|it's|must|be|we|i|i'd|i'll|would|say|think|believe|guess|that|choose|select|pick|go|going|with
           |option|choice)[ ]){0,7} )
    (?: \((?P<bracketed>(?-i:[A-Z]))\)(?P<text>[^()]{0,300})
      | (?(so)(?P<bare>(?-i:[A-Z]))(?=[.!]) | (?(named)(?P<called>(?-i:[A-Z]))(?=[.!]) | (?!)) ) )
    ["'\s\x02.!]{0,8}\Z
    )"""
)
OTHER_PART = re.compile(  # "(a) 0.1 c and (b) 0.2 c", "(i) 5 V"
    r"[\s\S]{0,160}?\((?:[b-j]|ii|iii)\)|[ ]{0,2}:|[ ](?!(?:because|since|as|is|for|and|or)\b)\w"
)
SMALL_LETTER = re.compile(r"[\"'(]?([a-j])[).:](?= )")
NEXT_SMALL_ITEM = re.compile(r"[^\n]{0,300}\n\s{0,4}\(?[a-j](?:[.):\]]|\s{0,3}(?:\n|\Z))")
CLAUSE_BEGINS = re.compile(r"[.!?:;\n]\s|\n|, |\b(?i:so|therefore|thus|hence|that) ")
NO_ANSWER = re.compile(r"(?i:[\s:]{0,3}[\"'(]?(?:none of|none\b|no correct|cannot be determined|insufficient))")
EXACT = re.compile(r"(?i:\b(?:exact|precise|calculated|correct exact)\w* \Z)")
IN_CASE = re.compile(r"(?i:\bif\b[^.!?\n]{0,150})\Z")
CLOSING_TEXT = re.compile(  # "... is A. Paris"
    r"(?s:(?:\b(?:is|are)|:)\s{0,3}[\"'(\[]?([A-Z])[\"')\]]?[.:)]? {1,3}(?=\S)([^\n]{2,400})\Z)"
)
_IS_WRONG = (
    r"(?:(?:is|was|seems|looks)(?: also)? (?:wrong|incorrect|false|a mistake)"
    r"|(?:is|was|does|can|could)(?:n't| ?not)(?: seem| look| be)?(?: the| a| an)?"
    r" (?:correct|right|valid|option|answer)\b)"
)
RETRACTED = re.compile(  # "Wait, no, that's wrong.", ", but this is not the correct answer", "(this is not correct)"
    r"(?i:[^\n]{0,40}[.!)?]\s{0,3}(?:wait|hmm|no|actually|hold on|oops|sorry)\b[^\n.!]{0,60}"
    r"\b(?:wrong|incorrect|not right|not correct|a mistake|an error|can't be right|cannot be right)\b"
    rf"|[^\n.]{{0,80}}?(?:[,;] ?(?:but|which|however|though)|\((?:this|which)),?"
    rf"(?: it| this| that| option)? {_IS_WRONG}"
    rf"|[^\n]{{0,60}}?[.!)]\s{{1,3}}(?:but |however,? )?(?:this|that|it) {_IS_WRONG})"
)
RECONSIDERED = re.compile(r"(?i:[^\n]{0,60}?[.!)]\s{1,3}(?:wait|hmm|correction|hold on)\b)")
AFFIRMED = re.compile(r"(?i:\b(?:yes|indeed|confirm\w*|correct|right|holds|stands)\b)")
LEFT = re.compile(  # "leaving (C) as the correct answer"
    r"(?:[ ](?:us|only|with|just|option|choice)){0,3}[ ][\"']?(?:\(([A-Z])\)|([A-Z]))"
    r"[\"']?(?:(?: as)? (?:the|our|my) (?:[a-z]{1,12} ){0,3}(?:answer|choice|option)\b|(?=[.]?\s{0,3}\Z))"
)
# "Not" and "might" deny nothing in "the one that might not fit is (B)".
DENIES = re.compile(
    r"(?i:\b(?:never|neither|nor|cannot|wrong|incorrect|false|except|eliminated?|ruled?|or|either|if|whether|unless"
    r"|otherwise|mistake|suppose|assum\w+|claims?|says?|said|think|unlikely)\b"
    r"|\A(?:(?!\b(?:that|which|who)\b).){0,300}"
    r"(?:\bnot\b(?! (?:in|among|listed|one|given|exactly|provided|present|available|an option)\b)"
    r"|\bwould\b(?! be \()|\b(?:could|may|might)\b|n't)|\?)|\([A-Z]\).*\([A-Z]\)"
)


def is_unreal(before: str, *, would: bool) -> bool:
    """Whether the clause at the end of a text is about what is not so; `would` tells that its verb is "would be"."""
    words = _UNREAL if would else _IF_IT_WERE
    return words.may_match(before) and bool(words.search(_CLAUSE_BREAK.split(before)[-1]))


def is_taken_back(plain: str, end: int) -> bool:
    """Whether an answer that ends at `end` is retracted, or reconsidered ("Wait") and not affirmed afterwards."""
    reconsidered = RECONSIDERED.match(plain, end)
    return bool(RETRACTED.match(plain, end) or (reconsidered and not AFFIRMED.search(plain, reconsidered.end())))
