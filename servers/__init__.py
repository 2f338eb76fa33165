"""Serve a model over HTTP: launch a server or attach to a running one, and ask it for its facts.

Knows nothing of evaluation.
"""
