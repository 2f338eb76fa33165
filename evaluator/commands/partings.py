"""Beside `whichquant fidelity` of a study that was run: ask its llama-servers where the answers that flip part."""

from collections.abc import Callable, Sequence
from pathlib import Path

from evaluator.analyse.partings import counted, flips_of
from evaluator.ask.servers import OpenServer, open_servers, server_spec
from evaluator.fidelity.file import keep_partings
from evaluator.fidelity.parting import Flip, Parting, Partings
from evaluator.fidelity.parting_http import Asked, ask_build, ask_reference
from evaluator.store.folder import logs_path, read_plan
from evaluator.study.file import LoadedStudy
from evaluator.study.requests import context_needed
from evaluator.study.requests import plan as requests_of
from servers import signals
from servers.errors import WhichquantError

Tell = Callable[[str], None]


def ask_partings(loaded: LoadedStudy, folder: Path, tell: Tell) -> tuple[Partings, ...]:
    """Ask how likely both tokens were where answers part, keep that with the run, and count near ties.

    Only llama-servers are asked; nothing is said of builds behind others, nor where one cannot be started.

    Raises:
        StudyError: The folder holds a damaged run.
        OSError: What was found cannot be written.
    """
    names = {variant.name for variant in loaded.study.variants}
    flipped = [flip for flip in flips_of(folder) if {flip.build, flip.reference} <= names]
    if not flipped:
        return ()
    tell(f"Where {len(flipped)} answers that flip part: their servers are asked.")
    found = signals.run(_asked(loaded, folder, flipped, tell))
    if found:
        keep_partings(folder, found)
    return counted(folder, flipped, found)


async def _asked(loaded: LoadedStudy, folder: Path, flipped: Sequence[Flip], tell: Tell) -> list[Parting]:
    plan = read_plan(folder)
    context = context_needed(requests_of(plan.study, plan.order))
    wanted = {flip.build for flip in flipped} | {flip.reference for flip in flipped}
    variants = [variant for variant in loaded.study.variants if variant.name in wanted]
    specs = {variant.name: server_spec(loaded, variant, context=context) for variant in variants}
    async with open_servers(loaded.study, specs, logs_path(folder)) as open_server:
        asked = await _of_reference(open_server, flipped, tell)
        builds = dict.fromkeys(each.flip.build for each in asked)
        mine = {build: [each for each in asked if each.flip.build == build] for build in builds}
        return [parting for build, each in mine.items() for parting in await _of_build(open_server, build, each, tell)]


async def _of_reference(open_server: OpenServer, flipped: Sequence[Flip], tell: Tell) -> list[Asked]:
    name = flipped[0].reference
    try:
        async with open_server(name, slots=1) as server:
            return await ask_reference(server, flipped) if server.spec.runtime == "llama_server" else []
    except WhichquantError as error:
        tell(f"{name} was not asked: {error}")
        return []


async def _of_build(open_server: OpenServer, name: str, asked: Sequence[Asked], tell: Tell) -> list[Parting]:
    try:
        async with open_server(name, slots=1) as server:
            if server.spec.runtime == "llama_server":
                return await ask_build(server, asked)
    except WhichquantError as error:
        tell(f"{name} was not asked: {error}")
    return [each.parting for each in asked]
