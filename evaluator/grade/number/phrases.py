"""How models say which number is their answer: patterns over a reply without its markup, each bounded."""

import re

from evaluator.grade.number.plain import BOX, BRACE

ANCHOR = re.compile(
    rf"""(?ix:
    (?P<box>{BOX})
    | (?P<hashes>(?<![#])[#]{{4}}(?![#]))
    | \banswers?\b (?:[ ](?:here|to|for|in|of|that|we|I)\b[^.:=\n0-9]{{0,60}}?)? [ ]{{0,2}}
      (?: (?P<says>(?:is|was|equals|(?:would|should|will|must)[ ]be|comes[ ](?:out[ ])?to)\b(?:[ ]{{0,2}}:)?)
        | (?P<heads>[*"')\]]{{0,3}}[ ]{{0,2}}(?:[:=]|=>|->)|[*"')\]]{{0,3}}(?=\n)) )
    )"""
)
LEAD = re.compile(  # what may stand between the announcement and the number
    rf"""(?ix:
    [\s*_"'(\[{BRACE}]{{0,8}} {BOX}?
    (?:(?:therefore|thus|hence|simply|exactly|just|equal[ ]to|a[ ]total[ ]of|approximately|about|roughly|around|only
       |now|then|USD|EUR|GBP|Rs\.?|so|the[ ]number)\b[\s:,]{{1,3}}){{0,3}}
    (?:[a-z]\w{{0,15}}[ ]?=[ ]?)? [\s*_"'(\[{BOX}]{{0,4}}
    )"""
)
RESULT = re.compile(r"(?:[<>]?=|\bequals\b|\bis equal to\b)[\s*_(\[]{0,4}")
OPERATOR = re.compile(r"[ )]{0,3}(?:[-+*/^=]|x(?= ?[0-9]))[ (]{0,3}(?=[-0-9(a-z]|\.[0-9])", re.IGNORECASE)
_WORDS_BETWEEN = r"(?:[ ][a-z]{1,15}){0,2}"
ANOTHER = re.compile(  # "18 or 19", "18 apples and 24 pears", "18, 24", "18 to 20", "2 hours 30 minutes"
    rf"""(?ix:
    {_WORDS_BETWEEN} (?:[ ]?[,&;]|[ ](?:and|or|to|-|plus))[ ]{{0,2}} (?:or[ ]|and[ ]|maybe[ ]|perhaps[ ])? [-]?\.?[0-9]
    | [ ](?:hours?|hrs?|minutes?|mins?|feet|foot|ft|pounds?|lbs?|dollars?|years?|months?|weeks?|days?|gallons?)
      [ ](?:and[ ])?[0-9]
    )"""
)
RELATES = re.compile(
    r"(?i:(?: [a-z]{1,15}){0,2} (?:more|less|fewer) than\b|[ ]?(?:times|out of|percent of)\b| of (?:the )?[0-9])"
)
QUESTIONED = re.compile(r"[^.!?\n0-9]{0,60}\?")
REST_OF_LINE = re.compile(rf"[^\n0-9{BOX}]{{0,60}}(?:\n|\Z)")
LIST_ITEM = re.compile(r"[ ]{0,2}[.):][ ]{1,3}[A-Za-z]|[.)][ ]{0,3}\n")
DENIES = re.compile(
    r"(?i:\b(?:not|never|neither|nor|cannot|if|unless|suppose|assum\w+|might|may|maybe|perhaps|or|either|between|least"
    r"|most|than|wrong|incorrect|otherwise|would have)\b|n't|\?)"
)
DOUBTS = re.compile(r"(?i:\b(?:might|maybe|perhaps|suppose|assuming|either|wrong|incorrect|otherwise|would have)\b|\?)")
CONCLUDES = re.compile(
    r"(?i:\A[\s*_#>\"'(-]{0,6}(?:and |but )?(?:so|therefore|thus|hence|consequently|overall|finally|altogether|total"
    r"|in (?:total|all|conclusion|summary|the end)|as a result|this means|that means|\u2234)\b"
    r"|\b(?:in total|altogether|in all)\b)"
)
CONCLUDING_CLAUSE = re.compile(r"(?i:[,;] (?:and )?(?=(?:so(?! that| far| many| much)|therefore|thus|hence)\b))")
GOES_ON = re.compile(r"(?i:\b(?:wait|but|however|check|verify|let|next|now|first|then|if|need|mistake|step)\b)")
LABELLED = re.compile(r"[ ]{0,3}[^0-9:=\n]{1,50}[:=][ ]{0,3}")
OF_ALL = re.compile(r"(?i:total|final|answer|result|altogether|\boverall)")
UNITS = re.compile(
    rf"[ ]?(?:[A-Za-z][A-Za-z'.-]{{0,14}}[ ]?(?:[/(][ ]?)?[)]?[ ]?){{0,4}}[\s.!)\]*_\"'{BRACE}]{{0,6}}\Z"
)
SENTENCE_BREAK = re.compile(rf"(?<=[.!?])[\s{BRACE}]|\n")
BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
