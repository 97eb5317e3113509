"""Ports for processes that cannot choose one themselves."""

import socket


def free_port() -> int:
    """One on loopback that nobody uses just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
