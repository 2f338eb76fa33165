"""What a study's `fidelity` asks for: each variant against the reference, and against its own where it has one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from msgspec import UnsetType

from evaluator.ask.servers import server_spec
from evaluator.benchmarks.fidelity import FidelitySettings
from evaluator.errors import StudyError
from evaluator.fidelity import texts
from evaluator.fidelity.run import Job
from evaluator.fidelity.served import Served
from evaluator.fidelity.subjects import Subject
from evaluator.study.file import LoadedStudy
from evaluator.study.study import Variant
from evaluator.study.yaml import line_of
from servers.errors import ModelError
from servers.spec import RuntimeName
from servers.weights import disk, source
from servers.weights.files import MLX

_AT = "benchmarks.fidelity"


class Changed(Protocol):
    """What is changed on the command line; None is what the study says."""

    @property
    def reference(self) -> str | None:
        """What the builds should be like."""

    @property
    def text(self) -> str | None:
        """What is read."""

    @property
    def tokens(self) -> int | None:
        """How many tokens of it."""

    @property
    def context(self) -> int | None:
        """Tokens in a window."""

    @property
    def margin(self) -> float | None:
        """Nats a token."""

    @property
    def threads(self) -> int | None:
        """Of llama.cpp."""


def job_of(loaded: LoadedStudy, changed: Changed) -> Job:
    """Say what is to be measured for a study, its models fetched if need be.

    Raises:
        StudyError: The study names no fidelity, or no model on this machine can be compared.
        ModelError: A model cannot be had.
    """
    settings = loaded.study.benchmarks.fidelity
    if isinstance(settings, UnsetType):
        raise StudyError(
            "is not there",
            source=loaded.source,
            key=_AT,
            remedy="add it under benchmarks: fidelity: {reference: f16}, a variant's name or a model",
        )
    reference = changed.reference or settings.reference
    comparisons, served = tuple(_comparisons(loaded, settings, reference)), tuple(_served(loaded, settings, reference))
    if not comparisons and not served:
        problem = "no variant beside the reference has its weights on this machine, or a server that runs already"
        raise StudyError(problem, source=loaded.source, key=_AT, remedy="name models by their paths or by hf:")
    text = changed.text or settings.text
    return Job(
        text=texts.read(text if text == texts.DEFAULT or changed.text else loaded.base / disk.expand(text)),
        comparisons=comparisons,
        served=served,
        tokens=changed.tokens or settings.tokens,
        context=changed.context or settings.context,
        margin=changed.margin or settings.margin,
        alpha=loaded.study.decide.alpha,
        threads=changed.threads,
        notes=tuple(_notes(loaded, settings)),
    )


def _comparisons(loaded: LoadedStudy, settings: FidelitySettings, reference: str) -> Iterator[tuple[Subject, Subject]]:
    """Pair each variant with its references; one of its own is itself compared with that of all."""
    plain = _named(loaded, reference)
    own = {name: _named(loaded, model) for name, model in settings.own_references.items()}
    drift = {subject.path: subject for subject in own.values()}
    for variant in loaded.study.variants:
        build = _variant(loaded, variant)
        if build is None:
            continue
        if variant.name in own and not _same(build, own[variant.name]):
            yield build, own[variant.name]
        if not _same(build, plain):
            yield build, plain
            drift.pop(build.path, None)
    for subject in drift.values():
        if not _same(subject, plain):
            yield subject, plain


def _served(loaded: LoadedStudy, settings: FidelitySettings, reference: str) -> Iterator[tuple[Served, Subject]]:
    """Pair each variant whose server runs already with its references."""
    for variant in loaded.study.variants:
        if variant.base_url is not None:
            served = Served(name=variant.name, spec=server_spec(loaded, variant, context=0))
            own = settings.own_references.get(variant.name)
            yield from ((served, _named(loaded, name)) for name in (own, reference) if name)


def _same(a: Subject, b: Subject) -> bool:
    return (a.path, a.kv_cache) == (b.path, b.kv_cache)


def _named(loaded: LoadedStudy, reference: str) -> Subject:
    """Find a reference: a variant of the study, or a model beside them."""
    for variant in loaded.study.variants:
        if variant.name == reference:
            found = _variant(loaded, variant)
            if found is not None:
                return found
            problem = f"{reference} has no weights on this machine that could be evaluated"
            raise StudyError(problem, source=loaded.source, key=_AT, remedy="name a model by its path or by hf:")
    path = loaded.base / disk.expand(reference)
    runtime: RuntimeName = "mlx_lm" if path.is_dir() else "llama_server"
    return Subject(name=Path(reference).name.removesuffix(".gguf"), path=_path(loaded, reference, runtime, _AT))


def _variant(loaded: LoadedStudy, variant: Variant) -> Subject | None:
    """Return what a variant's server loads; None where a server that is not ours keeps it to itself."""
    if variant.base_url is not None or variant.runtime not in ("llama_server", *MLX):
        return None
    at = f"variants[{loaded.study.variants.index(variant)}].model"
    path = _path(loaded, variant.model, variant.runtime, at)
    binary = variant.binary if variant.runtime == "llama_server" else None
    return Subject(name=variant.name, path=path, kv_cache=variant.kv_cache, binary=binary)


def _path(loaded: LoadedStudy, model: str, runtime: RuntimeName, key: str) -> Path:
    try:
        return source.resolve(model, runtime=runtime, base=loaded.base)
    except ModelError as error:
        line = line_of(loaded.text, key)
        raise StudyError(error.problem, source=loaded.source, line=line, key=key, remedy=error.remedy) from None


def _notes(loaded: LoadedStudy, settings: FidelitySettings) -> Iterator[str]:
    for name, own in settings.own_references.items():
        yield (
            f"{name} against {settings.reference} is training drift and quantization together; against its own"
            f" reference {Path(own).name} it is quantization alone, and that one against {settings.reference} is drift."
        )
    for variant in loaded.study.variants:
        if _keeps_its_weights(variant):
            yield f"{variant.name} was not measured: its server keeps the weights to itself."


def _keeps_its_weights(variant: Variant) -> bool:
    return variant.base_url is None and variant.runtime not in ("llama_server", *MLX)
