"""Programs that a model could write and nobody would want to run, and honest ones that look a little like them."""

from typing import NamedTuple

import hostile_exhausting as exhausting
import hostile_forging as forging
import hostile_looking as looking
import hostile_reaching as reaching

WANTS_42 = "def check(f):\n    assert f() == 42\n"


class Attack(NamedTuple):
    """One answer that must fail and leave no trace."""

    program: str
    tests: str = WANTS_42
    seconds: float = 5
    then: str = ""
    """An answer that runs after it and gives back 42 if it finds what the first one left."""


def _all(kind: str, programs: dict[str, str], tests: str = WANTS_42, seconds: float = 5) -> dict[str, Attack]:
    return {f"{kind}: {name}": Attack(program, tests, seconds) for name, program in programs.items()}


ATTACKS = (
    _all("files", looking.FILES, looking.STOLEN)
    | _all("system", looking.SYSTEM, looking.STOLEN)
    | _all("environment", looking.ENVIRONMENT, looking.STOLEN)
    | _all("tests", looking.TESTS, looking.STOLEN)
    | _all("writing", reaching.WRITING)
    | _all("network", reaching.NETWORK)
    | _all("processes", reaching.PROCESSES, seconds=2)
    | _all("signals", reaching.SIGNALS)
    | {f"leftovers: {name}": Attack(first, then=then) for name, (first, then) in reaching.LEFTOVERS.items()}
    | _all("objects", forging.OBJECTS, forging.SECRET)
    | _all("numbers", forging.NUMBERS, forging.CLOSE)
    | _all("truths", forging.TRUTHS, forging.TRUE)
    | _all("verdicts", forging.WRITES, forging.SECRET, 2)
    | _all("ends", forging.ENDS, forging.SECRET)
    | _all("patches", forging.PATCHES, forging.SECRET)
    | _all("memory", exhausting.MEMORY, seconds=10)
    | _all("depth", exhausting.DEPTH)
    | _all("values", exhausting.VALUES, seconds=3)
    | _all("output", exhausting.OUTPUT)
    | _all("deadline", exhausting.SLOW, seconds=1)
    | _all("kernel", exhausting.KERNEL)
)


class Control(NamedTuple):
    """One honest answer that must pass."""

    program: str
    tests: str = WANTS_42


CONTROLS = {
    "plain": Control("def f():\n    return 42"),
    "threads": Control(
        "from concurrent.futures import ThreadPoolExecutor\ndef f():\n    with ThreadPoolExecutor(8) as pool:\n"
        "        return sum(pool.map(int, ['40', '2']))"
    ),
    "temporary files": Control(
        "import os, tempfile\ndef f():\n    with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile(dir=d) as t:\n"
        "        t.write(bytes(1 << 20))\n        t.flush()\n        return 42 if os.path.getsize(t.name) == 1 << 20 else 0"
    ),
    "recursion": Control("def f(n=900):\n    return 42 if n == 0 else f(n - 1)"),
    "more recursion": Control(
        "import sys\nsys.setrecursionlimit(20000)\ndef g(n):\n    return 42 if n == 0 else g(n - 1)\ndef f():\n    return g(9000)"
    ),
    "large numbers": Control(
        "import math\ndef f(n):\n    return math.factorial(n)",
        "import math\ndef check(f):\n    assert f(3000) == math.factorial(3000)\n    assert f(0) == 1\n",
    ),
    "memory": Control("def f():\n    return len(bytearray(400 << 20)) - (400 << 20) + 42"),
    "generator": Control("def f(n):\n    yield from range(n)", "def check(f):\n    assert list(f(3)) == [0, 1, 2]\n"),
    "map": Control("def f(x):\n    return map(str, x)", "def check(f):\n    assert sorted(f([2, 1])) == ['1', '2']\n"),
    "keys": Control("def f(x):\n    return x.keys()", "def check(f):\n    assert f({'a': 1}) == {'a'}\n"),
    "floats": Control(
        "def f(x):\n    return [x / 3, -0.0, float('inf'), 5e-324]",
        "def check(f):\n    assert f(1) == [1 / 3, 0.0, float('inf'), 5e-324]\n    assert str(f(1)[1]) == '-0.0'\n",
    ),
    "fraction and decimal": Control(
        "from fractions import Fraction\nfrom decimal import Decimal\ndef f(x):\n    return [Fraction(x), Decimal(x)]",
        "def check(f):\n    assert f('0.5') == [0.5, 0.5]\n    assert abs(f('0.5')[0] - 0.5) < 1e-6\n",
    ),
    "unicode": Control(
        "def f(x):\n    return x[::-1] + '\\ud83d\\ude00\\x00\\u2028'",
        "def check(f):\n    assert f('äß😀') == '😀ßä\\ud83d\\ude00\\x00\\u2028'\n",
    ),
    "sets": Control(
        "def f(x):\n    return {frozenset({x}), (x, None)}, {x: {1, 2}}",
        "def check(f):\n    assert f('a') == ({frozenset({'a'}), ('a', None)}, {'a': {2, 1}})\n",
    ),
    "types": Control(
        "def f():\n    return True, 1, 1.0, '1', b'1', None, [1], (1,), {1}, range(3), 1j",
        "def check(f):\n    kinds = [bool, int, float, str, bytes, type(None), list, tuple, set, range, complex]\n"
        "    assert [type(x) for x in f()] == kinds\n    assert f()[0] is True and f()[5] is None\n",
    ),
    "named tuple": Control(
        "from collections import namedtuple, Counter, OrderedDict\nP = namedtuple('P', 'x y')\n"
        "def f():\n    return P(1, 2), Counter('aab'), OrderedDict(a=1)",
        "def check(f):\n    assert f() == ((1, 2), {'a': 2, 'b': 1}, {'a': 1})\n",
    ),
    "own classes within": Control(
        "from dataclasses import dataclass\nfrom enum import Enum\nclass E(Enum):\n    A = 42\n@dataclass\nclass D:\n    e: E\n"
        "class Node:\n    def __init__(self, d):\n        self.d = d\ndef f():\n    return Node(D(E.A)).d.e.value"
    ),
    "prints much": Control("def f():\n    for _ in range(2000):\n        print('x' * 10000)\n    return 42"),
    "standard modules": Control(
        "import abc, argparse, array, ast, base64, bisect, calendar, cmath, collections, concurrent.futures, contextlib, copy, csv, "
        "dataclasses, datetime, decimal, difflib, enum, fractions, functools, hashlib, heapq, inspect, io, itertools, json, "
        "logging, math, numbers, operator, os, pathlib, pprint, queue, random, re, secrets, statistics, string, struct, sys, "
        "tempfile, textwrap, threading, time, timeit, traceback, types, typing, unicodedata, unittest, uuid, warnings, "
        "zlib, zoneinfo, asyncio, socket, subprocess, multiprocessing, sqlite3, xml.etree.ElementTree\n"
        "def f():\n    return 42"
    ),
    "state between calls": Control(
        "seen = []\ndef f(x):\n    seen.append(x)\n    return list(seen)",
        "def check(f):\n    assert f(1) == [1]\n    assert f(2) == [1, 2]\n",
    ),
    "keywords": Control(
        "def f(a, *rest, b=2, **more):\n    return [a, rest, b, more]",
        "def check(f):\n    assert f(1, 5, b=3, c=4) == [1, (5,), 3, {'c': 4}]\n",
    ),
    "errors that are wanted": Control(
        "def f(x):\n    raise {0: ValueError, 1: KeyError, 2: UnicodeDecodeError}[x]('no') if x < 2 else b'\\xff'.decode()",
        "def check(f):\n    for n, e in enumerate((ValueError, KeyError)):\n        try:\n            f(n)\n"
        "        except e:\n            pass\n        else:\n            assert False\n",
    ),
    "asyncio": Control("import asyncio\nasync def g():\n    await asyncio.sleep(0)\n    return 42\ndef f():\n    return asyncio.run(g())"),
    "large answer": Control("def f(n):\n    return list(range(n))", "def check(f):\n    assert f(200_000)[-1] == 199_999\n"),
    "many calls": Control(
        "def f(x):\n    return x + 1", "def check(f):\n    for n in range(2000):\n        assert f(n) == n + 1\n"
    ),
    "tries the network and goes on": Control(
        "import os, socket\ndef f():\n    for do in (lambda: socket.create_connection(('127.0.0.1', 9), 1), os.fork, "
        "lambda: open('/etc/shadow')):\n        try:\n            do()\n            return 0\n        except OSError:\n            pass\n    return 42"
    ),
    "evil equality of no use": Control("class E:\n    def __eq__(self, o):\n        return True\ndef f():\n    return 42 if E() == 1 else E()"),
}
