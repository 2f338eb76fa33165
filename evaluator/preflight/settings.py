"""What the proofs of a server depend on: where it changes, they are made again."""

import hashlib

import msgspec

from evaluator.study.study import Study, Variant

_VERSION = 2
"""Of the probes: what was proved by others is proved again."""


def settings_of(study: Study, variant: Variant) -> str:
    """Identify what a variant's server was asked to be, and how it is asked: the beginning of a sha256.

    Args:
        study: It says how is asked.
        variant: One of the study's.
    """
    server = {key: value for key, value in msgspec.to_builtins(variant).items() if key not in ("name", "api_key_env")}
    asked = {
        name: {key: msgspec.to_builtins(settings).get(key) for key in ("format", "shots")}
        for name, settings in study.benchmarks.chosen().items()
    }
    matters = [_VERSION, server, asked, msgspec.to_builtins(study.sampling), study.concurrency, study.stream]
    return hashlib.sha256(msgspec.json.encode(matters, order="sorted")).hexdigest()[:16]
