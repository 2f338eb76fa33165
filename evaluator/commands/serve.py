"""`whichquant serve`: start the server of one variant and keep it until Ctrl-C."""

from pathlib import Path

import click

from evaluator.ask.servers import check_models, server_spec
from evaluator.errors import StudyError
from evaluator.study.file import load_study
from evaluator.study.requests import context_needed, plan
from evaluator.study.yaml import line_of
from servers import signals
from servers.cache import user_cache
from servers.serve import serve


def serve_variant(path: Path, name: str, port: int | None, log: Path | None) -> int:
    """Start the server of one variant as a run would, keep it until a signal comes, and give the exit code.

    Raises:
        StudyError: The study is wrong, has no such variant, or the variant's server runs already.
        ServerError: The server cannot be started, or it died.
    """
    loaded = load_study(path)
    study = loaded.study
    names = [variant.name for variant in study.variants]
    if name not in names:
        raise StudyError(f'has no variant "{name}"', source=path, remedy=f"name one of {', '.join(names)}")
    variant = study.variants[names.index(name)]
    if variant.base_url is not None:
        line = line_of(loaded.text, f"variants[{names.index(name)}].base_url")
        raise StudyError(
            f'"{name}" runs already, at {variant.base_url}: there is nothing to start', source=path, line=line
        )
    log = log or user_cache() / "logs" / f"{study.study}-{name}.log"
    try:
        check_models(loaded, only=name)
        spec = server_spec(loaded, variant, context=context_needed(plan(study)))
        signals.run(serve(spec, log=log, port=port, say=click.echo))
    except KeyboardInterrupt:
        click.echo("Stopped.")
    return 130
