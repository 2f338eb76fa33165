"""How models say which option they take: patterns over a reply without its markup, each bounded in what it reads."""

import re

BOX, BRACE = "\x01", "\x02"  # stand for `\boxed{` and `}` once markup is off

ANCHOR = re.compile(
    rf"{BOX}|[aA](?:nswer|NSWER)|[oO](?:ption|PTION)|[cC](?:hoice|HOICE)"
    r"|[ ](?:is|must[ ]be)(?=[ ](?:[a-z]{1,12}[ ]){0,5}"
    r"(?:correct|right|best|answer|choice|option|appropriate|accurate))"
)
ANNOUNCED = re.compile(
    r"""(?ix:
    (?:[ ](?:choice|option|letter))?
    (?:[ ](?:here|(?:to|for)[ ](?:the|this)[ ](?:question|problem)
      |(?:among|from|of)[ ](?:the|these)[ ](?:(?:given|listed|provided|available|answer)[ ])?(?:options|choices)))?
    (?:,?[ ](?:therefore|thus|then|hence),?|,[ ][^,.:\n]{1,50},)?
    (?: \s{0,6} (?:(?:is|(?P<would>would[ ]be)|should[ ]be|must[ ]be)\b | [:=>] | -{1,2}>?)
      | (?=\s{0,3}\n) | (?P<beside>(?=[ ]?[(\[])) )        # a heading, or a bracket right behind the word
    [\s:]{0,8}
    (?:(?:therefore|thus|hence|clearly|definitely|most|likely|probably|simply|indeed|actually|then|now|given|by
         |either|both|option|choice|letter|the|answer|is)\b[\s:,]{1,6}){0,4}
    )"""
)
IN_THE_BOX = re.compile(r"(?i:\s{0,3}(?:(?:bf|rm|option|choice|answer)\b[\s:]{0,3}){0,2})")
SAID_FIRST = re.compile(  # "42, which is option C"
    r"""(?ix:
    (?:[^.\n]|\.\d){1,80}? (?: ,?[ ]which[ ](?:is|matches|means|corresponds[ ]to)[ ](?:(?:option|choice)[ ]|(?=\())
      | [ ]\((?=option|choice)(?:option|choice)[ ] )
    )"""
)
LETTER = re.compile(
    r"""(?x:
    ["']? (?: \([ ]?([A-Za-z])[ ]?\) | \[[ ]?([A-Z])[ ]?\]
      | \(?([A-Z])
        # What may follow a bare letter, so that it is no article, pronoun, unit, variable or beginning of a name:
        (?= ["']?\x02{0,3} (?: (?<=\x02)(?![\^=\w]) | \s{0,4}\Z | [ ]{0,5}[\n(<] | [.!](?![\w.]) | [,;:)\]](?!\w)
          | [ ]{1,3}\x02 | [ ]{1,3}-[ ] | (?<=["'])(?!\w)
          | [ ](?i:because|since|as|for|due|with|which|based|given|or|and|is)\b ))
    ) \)? (?!["'\x02 )\]]{0,3}\?)
    )"""
)
ANOTHER = re.compile(
    r"""(?x:
    [\x02"' ]{0,4} (?:,[ ]?)? (?:(?:(?i:and/or|or|and)\b|[,/&])[ ]{0,2})
    (?i:(?:possibly|perhaps|maybe|even|option)[ ])?
    (?: \(([A-Za-z]|[IVX]{2,4})\) | ([A-Z]|[IVX]{2,4})(?=\x02|\W|\Z)(?!'|[ ]\w) )
    )"""
)
TAKEN_BACK = re.compile(
    r"""(?ix:
    [\x02"' ]{0,4} (?:,[ ]?which[ ])?
    (?: (?:is|was|looks|seems)(?:[ ](?:also|clearly|definitely|simply|just|actually|obviously|therefore))?
        (?:n't | [ ](?:not|incorrect|invalid|inaccurate|wrong|false|impossible|eliminated|excluded|ruled)\b)
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
    (?P<opening> \A\s{0,3}(?:-[ ])? | [\n.!?:;>]\s{0,3}(?:-[ ])?
      | \b(?i:so|therefore|thus|hence|consequently|then|that|only|clearly|means|think|believe|conclude),?[ ] )?
    (?P<noun>\b(?i:option|choice)[ ])?
    (?P<letter>["']?(?:\([A-Za-z]\)|\[[A-Z]\]|\b[A-Z](?!['\w])))
    )"""
)
CHOSEN = re.compile(r"(?i:\b(?:choose|select|pick|chose|go(?:ing)? with)(?: the)? )\Z")
PRAISED_NOUN = re.compile(
    r"(?i:\b(?:correct|right|best|closest|final|appropriate|suitable|accurate|my)(?: answer)? )\Z"
)
NOT_MEANT = re.compile(
    r"""(?ix:
    (?:\b(?:not|never|neither|doubt|cannot|wrong|mistake|mistakenly|wrongly|tempting|tempted)|n't)
    (?:[ ](?!(?:so|then|therefore|thus|hence|and|but)\b)[\w']{1,20}){0,6}[ ]\Z
    | \b(?:if|whether|unless|suppose|supposing|assume|assuming|claims|claimed|says|said|why
      |(?:might|may|could)[ ](?:think|say|guess|argue|believe|conclude|expect|choose|pick|select))
      (?:[ ]that)?(?:[ ](?:the|my))?(?:[ ](?:correct|right|final|best))?[ ]\Z
    )"""
)
CLAUSE_BREAK = re.compile(r"[.!?](?!\d)|[;\n]|(?i:\b(?:so|therefore|thus|hence|but)\b)")
UNREAL = re.compile(r"(?i:\b(?:if|unless|suppose|supposing|otherwise|without|had|were|then|case)\b)")
IF_IT_WERE = re.compile(r"(?i:\bif\b.*\b(?:were|had|would)\b)")
CORRECTION = re.compile(r"(?i:\b(?:no|not|wait|actually|sorry|rather|instead|mistake|but|however|correction|hmm)\b)")
NEXT_QUESTION = re.compile(r"\n[#\s]{0,6}(?:Question|QUESTION)\b[^\n:]{0,20}:")
