"""Two variants on the same questions, after Bayes: how probable is it that A is the better one?

The four cells of the table get the flat prior Dirichlet(1, 1, 1, 1).
A line in plain words, not a verdict: the chance that A is better is not 1 - p.
"""

from evaluator.stats.coins import at_most
from evaluator.stats.paired import PairedTable, at_least_one


def chance_better(table: PairedTable, effect: float = 1.0) -> float:
    """Return the posterior chance that p_a > p_b: 1 - I_1/2(b + 1, c + 1), with I the regularised incomplete beta.

    From Dirichlet(1, 1, 1, 1), where the share of A in the flips is Beta(b + 1, c + 1) (the aggregation property:
    Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.4 and appendix A). Counts are divided by the design effect
    of questions in clusters.

    Raises:
        ValueError: the table has no questions.
    """
    at_least_one(table.n)
    if effect == 1:  # of whole numbers it is a fair coin's chance
        return at_most(table.only_a, table.flips + 1)
    from scipy.special import betainc  # noqa: PLC0415  slow to import

    # I_1/2(x, y) = 1 - I_1/2(y, x): the form without a difference keeps small chances exact.
    return float(betainc(table.only_b / effect + 1, table.only_a / effect + 1, 0.5))
