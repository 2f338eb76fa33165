"""Make a model answer HTTP: launch a server, or take a running one, and ask it who it is.

Knows nothing of evaluation.
"""
