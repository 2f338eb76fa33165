"""`python -m evaluator` is `whichquant`."""

from evaluator.cli import main

main(prog_name="whichquant")
