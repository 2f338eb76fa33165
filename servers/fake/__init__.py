"""A scripted server, for tests, dry runs and fault injection.

`async with FakeServer(Reply(text="The answer is (B).")) as fake:` and then `fake.base_url`, `fake.requests`.
From code that is not async, `with FakeServer(...) as fake:` runs it in a thread.
With `dialect=OMLX` (of servers.fake.dialects) it speaks as that runtime does, its faults included.
"""

from servers.fake.reply import Fault, Reply
from servers.fake.server import FakeServer, Script
from servers.fake.spec import Answer, Call, FakeModel

__all__ = ["Answer", "Call", "FakeModel", "FakeServer", "Fault", "Reply", "Script"]
