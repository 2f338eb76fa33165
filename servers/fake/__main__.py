"""The fake server as a program: `python -m servers.fake --dialect omlx --port 8017`."""

import argparse
import asyncio
import signal

from servers.fake.dialects import DIALECTS
from servers.fake.reply import Reply
from servers.fake.server import FakeServer
from servers.fake.spec import PLAIN


async def _serve_until_signal(fake: FakeServer) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    async with fake:
        print(f"listening at {fake.base_url}", flush=True)  # noqa: T201 - what its log is to show
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM; further arguments, as the real programs take, are ignored."""
    parser = argparse.ArgumentParser(prog="python -m servers.fake", description=__doc__, allow_abbrev=False)
    parser.add_argument("--dialect", choices=DIALECTS, default=PLAIN.name)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default="fake")
    parser.add_argument("--text", default="The answer is (B).")
    parser.add_argument("--reasoning", default="")
    parser.add_argument("--loading", type=int, default=0, help="answer so many requests with 503")
    options, _ = parser.parse_known_args()
    reply = Reply(text=options.text, reasoning=options.reasoning)
    fake = FakeServer(
        reply, dialect=DIALECTS[options.dialect], models=(options.model,), port=options.port, loading=options.loading
    )
    asyncio.run(_serve_until_signal(fake))


if __name__ == "__main__":
    main()
