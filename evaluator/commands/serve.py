"""One variant's server of a study, up until somebody ends it."""

import asyncio
from pathlib import Path

import click

from evaluator.ask.servers import check_models, spec_of
from evaluator.study.file import line_of, read
from evaluator.study.requests import context_needed, plan
from evaluator.study.study import StudyError
from servers.cache import user_cache
from servers.serve import serve
from servers.signals import until_terminated


def serve_variant(path: Path, name: str, port: int | None, log: Path | None) -> int:
    """Start the server of one variant as a run would, keep it until a signal comes, and give the exit code.

    Raises:
        StudyError: The study is wrong, has no such variant, or the variant's server is none of ours.
        ServerError: The server cannot be started, or it died.
    """
    study, text = read(path)
    names = [variant.name for variant in study.variants]
    if name not in names:
        raise StudyError(f'{path}: has no variant "{name}": name one of {", ".join(names)}')
    variant = study.variants[names.index(name)]
    if variant.base_url is not None:
        line = line_of(text, f"variants[{names.index(name)}].base_url")
        raise StudyError(f'{path}:{line}: "{name}" runs already, at {variant.base_url}: there is nothing to start')
    log = log or user_cache() / "logs" / f"{study.study}-{name}.log"
    try:
        check_models(study, text, path, only=name)
        spec = spec_of(study, variant, context_needed(plan(study)), path.parent)
        asyncio.run(until_terminated(serve(spec, log=log, port=port, say=click.echo)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Stopped.")
    return 130
