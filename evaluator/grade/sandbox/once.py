"""Run one answer in this process, which was confined before it started: child.py's work without its forks.

Started by file name; the arguments are the numbers of the job's files.
"""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluator.grade.sandbox import child
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 10 ms
    import child

    del sys.path[0]


def main() -> None:
    """Silence this process, and do the job."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as child.py has it
    try:
        child.work([int(number) for number in sys.argv[1:]])
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else bool(error.code))
    os._exit(0)  # waits for no thread, and runs no exit handler


if __name__ == "__main__":
    main()
