"""Paired tables with published numbers, and strategies for any table, for the tests of paired statistics."""

from hypothesis import settings
from hypothesis import strategies as st

from evaluator.stats.paired import PairedTable

BENTUR = PairedTable(1, 1, 7, 12)
cells = st.integers(0, 60)
tables = st.builds(PairedTable, cells, cells, cells, cells).filter(lambda t: t.n > 0)
margins = st.floats(0.005, 0.5)
# scipy is loaded by the first call, which takes longer than an example may.
unhurried = settings(deadline=None)


def study(b: int, c: int) -> PairedTable:
    """HumanEval of the original study: 98 right against 90 right, of 100."""
    return PairedTable(98 - b, b, c, 2 - c)
