"""Ports for servers that tests start."""

import random
import socket

# Below those that systems give to connections: nothing else takes one before the server does.
FIRST, LAST = 20000, 32000


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.SystemRandom().randint(FIRST, LAST)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
