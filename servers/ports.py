"""Choose a port on this machine."""

import socket

from servers.errors import ServerError

_handed_out: set[int] = set()


def free_port() -> int:
    """Choose a port on 127.0.0.1 that is free now and that this process has not chosen before.

    Never twice, because while one server is slow to bind, another on its port would be taken for it.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _handed_out:
            _handed_out.add(port)
            return port


def chosen_port(port: int) -> int:
    """Return the port that the user chose, if it is free.

    Raises:
        ServerError: Another program listens there, which would be taken for our server, or the port may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a closed one lingers
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise ServerError(f"Port {port} may not be used without special rights: choose one above 1023.") from error
        except OSError as error:
            raise ServerError(f"Port {port} is taken by another program: end it, or choose another port.") from error
    return port
