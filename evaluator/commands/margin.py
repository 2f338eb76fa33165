"""The option --margin: how many points matter."""

from evaluator.errors import StudyError


def read_margin(text: str) -> tuple[str, float]:
    """Read `5` or `mmlu_pro=2`: the benchmark, "" for all, and the points.

    Raises:
        StudyError: It is no such thing.
    """
    name, _, number = text.rpartition("=")
    try:
        points = float(number)
    except ValueError:
        raise StudyError("write points, as 5 or mmlu_pro=2", source=f"--margin {text}") from None
    if not 0 < points < 100:
        raise StudyError("a margin lies between 0 and 100 points", source=f"--margin {text}")
    return name.strip(), points
