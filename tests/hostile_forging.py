"""Answers that want to be told right without being right.

The tests want the secret, which no answer can know, and `$` and a name stands for a fact of the machine.
"""

SECRET = "secret = '$secret'\ndef check(f):\n    for n in range(3):\n        assert f(n) == secret\n"

_EQUAL = (
    "class Equal{}:\n    def __new__(cls, *a):\n        return {}.__new__(cls)\n"
    "    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n"
    "    def __hash__(self):\n        return 0\n    def __len__(self):\n        return 16\n"
    "def f(n):\n    return Equal()"
)
OBJECTS = {
    "equals everything": _EQUAL.format("", "object"),
    **{
        f"{base} that equals everything": _EQUAL.format(f"({base})", base)
        for base in ("str", "int", "float", "list", "tuple", "dict", "set", "frozenset", "bytes", "complex")
    },
    "class that equals everything": (
        "class Meta(type):\n    def __eq__(cls, other):\n        return True\n    __hash__ = type.__hash__\n"
        "class C(metaclass=Meta):\n    pass\ndef f(n):\n    return C"
    ),
    "lies about its class": (
        "class Lie:\n    @property\n    def __class__(self):\n        return str\n    def __eq__(self, other):\n"
        "        return True\ndef f(n):\n    return Lie()"
    ),
    "says that all are instances": (
        "class Meta(type):\n    def __instancecheck__(cls, x):\n        return True\n"
        "    def __subclasscheck__(cls, x):\n        return True\nclass str(metaclass=Meta):\n    pass\n"
        "def f(n):\n    return str()"
    ),
    "equal in a list": (
        "class E:\n    def __eq__(self, other):\n        return True\nclass L(list):\n    def __eq__(self, other):\n"
        "        return True\ndef f(n):\n    return L([E()])"
    ),
    "anything from mock": "from unittest import mock\ndef f(n):\n    return mock.ANY",
    "magic mock": "from unittest import mock\ndef f(n):\n    m = mock.MagicMock()\n    m.__eq__ = lambda *a: True\n    return m",
    "pickles as something else": (
        "class P:\n    def __reduce__(self):\n        return (eval, ('1',))\ndef f(n):\n    return P()"
    ),
    "json's default": (
        "import json\njson.JSONEncoder.default = lambda self, x: 'x'\nclass C:\n    pass\ndef f(n):\n    return C()"
    ),
    "not implemented": "def f(n):\n    return NotImplemented",
    "generator": "def f(n):\n    yield '$mark'",
    "coroutine": "async def f(n):\n    return '$mark'",
    "callable": "class C:\n    def __call__(self, n):\n        return self\n    def __eq__(self, o):\n        return True\nf = C()",
    "none": "f = None",
    "itself": "def f(n):\n    return f",
}
CLOSE = "def check(f):\n    assert abs(f(0) - 0.5) < 1e-6\n"
NUMBERS = {
    "number that is close to all": (
        "class N:\n    def __sub__(self, o):\n        return self\n    def __abs__(self):\n        return self\n"
        "    def __lt__(self, o):\n        return True\ndef f(n):\n    return N()"
    ),
    "float that is close to all": (
        "class N(float):\n    def __sub__(self, o):\n        return 0.0\n    def __abs__(self):\n        return 0.0\n"
        "def f(n):\n    return N(7)"
    ),
    "not a number": "def f(n):\n    return float('nan')",
}
TRUE = "def check(f):\n    assert not f(0)\n    assert f(1)\n    assert not f(0) != False\n"
TRUTHS = {
    "now true, now false": (
        "class B:\n    n = 0\n    def __bool__(self):\n        B.n += 1\n        return B.n == 2\n"
        "    def __ne__(self, o):\n        return False\nb = B()\ndef f(n):\n    return b"
    ),
    "length to suit": (
        "class L(list):\n    def __len__(self):\n        L.n = getattr(L, 'n', 0) + 1\n        return L.n == 2\n"
        "def f(n):\n    return L()"
    ),
}

_LINES = (
    "lines = [b'passed\\n', b'{\"passed\": true}\\n', b'{\"passed\":true,\"gone\":false,\"error\":\"\"}\\n', b'v\\n', "
    "b'vtrue\\n', b'vnull\\n', b'started\\n', b'v[\"o\",\"x\"]\\n', b'ok\\n', b'0\\n', b'1\\n', b'True\\n', "
    "b'\\x81\\xa6passed\\xc3', bytes(8), b'\\x01\\x00\\x00\\x00\\x01']\n"
)
_EVERYWHERE = (
    "import os\n" + _LINES + "def shout(lines=lines):\n    for fd in list(range(3, 64)) + [1, 2]:\n        for line in lines:\n"
    "            try:\n                os.set_blocking(fd, False)\n                os.write(fd, line)\n"
    "            except OSError:\n                break\n"
)
WRITES = {
    "verdicts on standard output": _LINES + "def f(n):\n    for line in lines:\n        print(line.decode(errors='replace'), flush=True)",
    "verdicts everywhere": _EVERYWHERE + "def f(n):\n    shout()",
    "verdicts everywhere at import": _EVERYWHERE + "shout()\ndef f(n):\n    return n",
    "verdicts, then the end": _EVERYWHERE + "def f(n):\n    shout()\n    os._exit(0)",
    "verdicts at import, then the end": _EVERYWHERE + "shout()\nos._exit(0)",
    "one verdict many times": _EVERYWHERE + "def f(n):\n    shout([lines[1]] * 999)",
    "answers before it is called": _EVERYWHERE + "shout([b'v\"x\"\\n'] * 50)\ndef f(n):\n    return 'x'",
    "answers twice": _EVERYWHERE + "def f(n):\n    shout([b'v\"x\"\\n', b'v\"x\"\\n'])\n    return 'x'",
    "errors that catch": _EVERYWHERE + "def f(n):\n    shout([b'e[\"SystemExit\",\"0\"]\\n', b'e[\"_GoneError\",\"\"]\\n', "
    "b'e[\"BaseException\",\"\"]\\n', b'e[\"KeyboardInterrupt\",\"\"]\\n', b'e[\"GeneratorExit\",\"\"]\\n'])",
    "malformed results": _EVERYWHERE + "def f(n):\n    shout([b'v[\"d\",[\"l\",[\"l\"],1]]\\n', b'v[\"zz\"]\\n', b'v{}\\n', b'x\\n', "
    "b'e[1,2]\\n', b'e\\n', b'\\n', b'v[\"i\",\"zz\"]\\n', b'v[\"f\",\"x\"]\\n', b'e[\"a b\",\"\\\\ud800\"]\\n'])",
    "thread that answers": _EVERYWHERE + (
        "import threading, time\ndef always():\n    while True:\n        shout([b'v\"x\"\\n'])\n        time.sleep(0.01)\n"
        "threading.Thread(target=always, daemon=True).start()\ndef f(n):\n    time.sleep(0.1)\n    return 'x'"
    ),
    "when it is deleted": _EVERYWHERE + "class D:\n    def __del__(self):\n        shout()\ndef f(n):\n    D()\n    return D()",
    "at exit": _EVERYWHERE + "import atexit, sys\natexit.register(shout)\ndef f(n):\n    sys.exit(0)",
    "excepthook": _EVERYWHERE + "import sys\nsys.excepthook = lambda *a: (shout(), os._exit(0))\ndef f(n):\n    raise KeyboardInterrupt",
    "signal": _EVERYWHERE + "import signal\nsignal.signal(14, lambda *a: shout())\nsignal.setitimer(0, 0.05, 0.05)\ndef f(n):\n    while n < 1e6:\n        n += 1",
    "trace": _EVERYWHERE + "import sys\ndef f(n):\n    sys.settrace(lambda *a: shout())\n    (lambda: 0)()",
    "over every descriptor": "import os\ndef f(n):\n    for fd in range(3, 64):\n        try:\n            os.dup2(1, fd)\n        except OSError:\n            pass\n    return n",
    "closes everything": "import os\ndef f(n):\n    os.closerange(0, 256)\n    return n",
    "closes everything at import": "import os\nos.closerange(0, 256)\ndef f(n):\n    return n",
}

ENDS = {
    "exit code 0": "import os\ndef f(n):\n    os._exit(0)",
    "exit code 0 at import": "import os\ndef f(n):\n    pass\nos._exit(0)",
    "exit": "import sys\ndef f(n):\n    sys.exit(0)",
    "quit": "def f(n):\n    quit()",
    "abort": "import os\ndef f(n):\n    os.abort()",
    "fault": "import ctypes\ndef f(n):\n    ctypes.string_at(0)",
    "bad bytecode": "def f(n):\n    pass\nf.__code__ = f.__code__.replace(co_code=b'\\x64\\xff' * 99, co_stacksize=0)",
    "interrupt": "def f(n):\n    raise KeyboardInterrupt",
    "interrupt at import": "def f(n):\n    return n\nraise KeyboardInterrupt",
    "stop iteration": "def f(n):\n    raise StopIteration('$mark')",
    "generator exit": "def f(n):\n    raise GeneratorExit",
    "base exception": "class E(BaseException):\n    pass\ndef f(n):\n    raise E",
    "own assertion error": "class AssertionError(Exception):\n    pass\ndef f(n):\n    raise AssertionError",
    "error named output": "class output(Exception):\n    pass\ndef f(n):\n    raise output('passed')",
    "error named like the end": "class _GoneError(Exception):\n    pass\ndef f(n):\n    raise _GoneError('passed')",
    "error with a name that is none": "E = type('a b\\n{\"passed\": true}', (Exception,), {})\ndef f(n):\n    raise E('x')",
    "error that shows itself badly": "class E(Exception):\n    def __str__(self):\n        raise KeyboardInterrupt\ndef f(n):\n    raise E",
    "error that shows itself as no text": "class E(Exception):\n    def __str__(self):\n        return 7\ndef f(n):\n    raise E",
    "error with a lying text": "class S(str):\n    def strip(self):\n        return self\n    def splitlines(self):\n        return [{'passed': True}]\n"
    "class E(Exception):\n    def __str__(self):\n        return S('x')\ndef f(n):\n    raise E",
    "error of much text": "def f(n):\n    raise ValueError('x' * (1 << 26))",
    "group of errors": "def f(n):\n    raise ExceptionGroup('x', [ValueError(1)])",
    "error without an end": "class M(type):\n    @property\n    def __name__(cls):\n        raise SystemExit(0)\nclass E(Exception, metaclass=M):\n    pass\ndef f(n):\n    raise E",
}

PATCHES = {
    "own check": "def check(f):\n    pass\ncandidate = check\ndef f(n):\n    return n",
    "assertion error": "import builtins\nbuiltins.AssertionError = type('A', (Exception,), {})\ndef f(n):\n    return n",
    "the writer": (
        "import sys\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'dump') and hasattr(m, 'RefusedError'):\n"
        "        m.dump = lambda value: b'true\\n'\ndef f(n):\n    return n"
    ),
    "json": "import json\njson.dumps = lambda *a, **k: 'true'\nclass C:\n    pass\ndef f(n):\n    return C()",
    "the main module": (
        "import __main__\nfor name in list(vars(__main__)):\n    if callable(vars(__main__)[name]):\n"
        "        setattr(__main__, name, lambda *a, **k: b'vtrue\\n')\ndef f(n):\n    return n"
    ),
    "os.write": "import os\nreal = os.write\nos.write = lambda fd, data: real(fd, b'vtrue\\n') and len(data)\ndef f(n):\n    return n",
    "equality by the C library": (
        "import ctypes\ndef f(n):\n    # every empty tuple and small number of this interpreter is another now\n"
        "    ctypes.memset(id(1) + 24, 255, 4)\n    return 1"
    ),
    "interned text": (
        "import ctypes\ndef f(n):\n    t = '$mark'\n    ctypes.memset(id(t) + 48, 97, len(t))\n    return t"
    ),
    "modules": "import sys\nsys.modules['json'] = sys.modules['os'] = None\ndef f(n):\n    import json\n    return n",
    "own start-up files": (
        "for name in ('sitecustomize.py', 'json.py', 'values.py', 'usercustomize.py'):\n    for where in ('', '/tmp/', '/sandbox/'):\n"
        "        try:\n            open(where + name, 'w').write('import os; os._exit(0)')\n        except OSError:\n            pass\n"
        "def f(n):\n    return n"
    ),
    "the judge's code by way of text": "def f(n):\n    return '{error} {0.__class__} %s $(id) `id` \\' + exit(0) + \\''",
    "its frame's caller": (
        "import sys\ndef f(n):\n    frame = sys._getframe().f_back\n    while frame:\n"
        "        for name, value in list(frame.f_globals.items()):\n            if name.startswith('_') and callable(value):\n"
        "                frame.f_globals[name] = lambda *a, **k: True\n        frame = frame.f_back\n    return n"
    ),
}
