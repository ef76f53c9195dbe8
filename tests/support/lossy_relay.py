"""A TCP relay in front of a Redis server. It loses requests or answers, as a network or a failover does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

Loss = Literal["request", "answer"]
_CHUNK = 1 << 20


class LossyRelay:
    """Loses the commands on sessions' keys that `lose` selects. It never loses commands on locks."""

    def __init__(self, port: int, about: bytes = b"triggers.storages.cache") -> None:
        """`port` is the server's. Only requests that contain `about` are lost."""
        self._port = port
        self._about = about
        self._losing: dict[bytes, Loss] = {}
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def lose(self, command: str, loss: Loss) -> None:
        """Loses every command of this kind from now on."""
        self._losing = {b"\r\n%s\r\n" % command.encode(): loss}

    def lose_nothing(self) -> None:
        self._losing = {}

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [client, server]
                connection = _Connection(self, client, server)
                threading.Thread(target=connection.requests, daemon=True).start()
                threading.Thread(target=connection.answers, daemon=True).start()

    def loss_of(self, request: bytes) -> Loss | None:
        """Returns how this request is lost, or None if it is not."""
        loss_of_command = next((loss for command, loss in self._losing.items() if command in request), None)
        if loss_of_command is None or self._about not in request:
            return None
        self.lost += 1
        return loss_of_command


class _Connection:
    def __init__(self, relay: LossyRelay, client: socket.socket, server: socket.socket) -> None:
        self._relay, self._client, self._server = relay, client, server
        self._is_deaf = False

    def requests(self) -> None:
        with suppress(OSError):
            while request := self._client.recv(_CHUNK):
                loss = self._relay.loss_of(request)
                self._is_deaf = self._is_deaf or loss == "answer"
                if loss != "request":
                    self._server.sendall(request)

    def answers(self) -> None:
        with suppress(OSError):
            while answer := self._server.recv(_CHUNK):
                if not self._is_deaf:
                    self._client.sendall(answer)
