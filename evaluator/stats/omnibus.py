"""Several variants, or several strata, in one test: is there a difference anywhere?"""

from collections.abc import Sequence

from evaluator.stats.proportions import Test, chi_squared_tail


def cochran_q(correct: Sequence[Sequence[bool]]) -> Test:
    """Test whether k variants solve the same share of questions; correct[i][j] is variant j's answer to question i.

    Q = (k-1) (k sum G² - T²) / (k T - sum L²) with G a variant's right answers, L a question's, T all; chi-squared with
    k - 1 degrees of freedom (Cochran 1950, Biometrika 37:256-266). For two variants it is McNemar's chi-squared.
    0 and p 1 where no question tells the variants apart.

    Raises:
        ValueError: no question, fewer than two variants, or not as many answers to each question.
    """
    if not correct:
        raise ValueError("Cochran's Q needs at least one question")
    k = len(correct[0])
    if k < 2 or any(len(row) != k for row in correct):
        raise ValueError("Cochran's Q needs the answers of the same two or more variants to every question")
    by_variant = [sum(map(bool, column)) for column in zip(*correct, strict=True)]
    by_question = [sum(map(bool, row)) for row in correct]
    total = sum(by_variant)
    spread = k * total - sum(right * right for right in by_question)
    if spread == 0:
        return Test(0.0, 1.0)
    statistic = (k - 1) * (k * sum(right * right for right in by_variant) - total * total) / spread
    return Test(statistic, chi_squared_tail(statistic, k - 1))


def homogeneity(tables: Sequence[tuple[int, int]]) -> Test:
    """Test whether the flips fall to either side alike in all strata; each is (only A right, only B right).

    Pearson's chi-squared of the K by 2 table without correction, K - 1 degrees of freedom (Pearson 1900; Fisher 1922).
    Strata without flips say nothing and are dropped; 0 and p 1 where fewer than two are left, or all flips go one way.
    It needs about five flips expected in each cell.

    Raises:
        ValueError: a count is negative.
    """
    if any(min(table) < 0 for table in tables):
        raise ValueError("a count of flips is 0 or more")
    flipped = [(b, c) for b, c in tables if b + c]
    only_a, only_b = sum(b for b, _ in flipped), sum(c for _, c in flipped)
    if len(flipped) < 2 or 0 in (only_a, only_b):
        return Test(0.0, 1.0)
    # (b C - c B)² / (m B C) is both cells of a row at once, and exactly 0 where the shares are the same.
    statistic = sum((b * only_b - c * only_a) ** 2 / (b + c) for b, c in flipped) / (only_a * only_b)
    return Test(statistic, chi_squared_tail(statistic, len(flipped) - 1))
