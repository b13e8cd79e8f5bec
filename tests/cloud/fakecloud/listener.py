"""Accepting connections: as usual, or in one of the ways in which that can go wrong."""

import asyncio
import socket
import ssl

from fakecloud.connection import Connection
from fakecloud.exchange import reset_socket

_BACKLOG = 1024
_AT_ONCE = 64


class Listener:
    """The socket that clients connect to."""

    def __init__(self, cloud, host, port, certificates=None):
        self._cloud = cloud
        self._host = host
        self._certificates = certificates
        self._loop = asyncio.get_running_loop()
        self._socket = None
        self._mode = None
        self._parked = []
        self._fillers = []
        self._tasks = set()
        self.port = port
        self._listen()
        self._mode = "open"

    # --- modes ---

    def set_mode(self, mode):
        """open, reset, hang, blackhole or refuse: see the switch "connections"."""
        if mode == self._mode:
            return
        if self._mode == "refuse":
            self._listen()
        elif self._mode == "blackhole":
            self._leave_blackhole()
        self._mode = mode
        for connection in list(self._cloud.connections):
            connection.hold(mode in ("hang", "blackhole"))
        if mode == "refuse":
            self._unlisten()
        elif mode == "blackhole":
            self._enter_blackhole()
        elif mode == "open":
            parked, self._parked = self._parked, []
            for sock in parked:
                self._adopt(sock)

    def _listen(self):
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        self._socket.bind((self._host, self.port))
        self._socket.listen(_BACKLOG)
        self.port = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket, self._accept)

    def _unlisten(self):
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _enter_blackhole(self):
        """Lets the queue of the kernel fill up, so that not even a handshake is answered."""
        self._loop.remove_reader(self._socket)
        self._socket.listen(0)
        for _ in range(2):
            filler = socket.socket(self._socket.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self._socket.getsockname())
            self._fillers.append(filler)

    def _leave_blackhole(self):
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._socket.listen(_BACKLOG)
        self._loop.add_reader(self._socket, self._accept)

    # --- connections ---

    def _accept(self):
        for _ in range(_AT_ONCE):
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            self._cloud.journal.events["connections accepted"] += 1
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._mode == "reset":
                self._cloud.journal.events["connections reset"] += 1
                reset_socket(sock)
                sock.close()
            elif self._mode == "hang":
                self._parked.append(sock)
            else:
                self._cloud.later(self._cloud.settings.connect_latency_ms / 1000,
                                  self._adopt, sock)

    def _adopt(self, sock):
        task = self._loop.create_task(self._serve(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock):
        context = None
        if self._certificates:
            context = self._certificates.context(self._cloud.settings.certificate)
        try:
            await self._loop.connect_accepted_socket(lambda: Connection(self._cloud), sock,
                                                     ssl=context)
        except (OSError, ssl.SSLError):
            self._cloud.journal.events["handshakes failed"] += 1
            sock.close()

    def close(self):
        """No more connections."""
        if self._mode != "refuse":
            self._unlisten()
        for sock in self._parked + self._fillers:
            sock.close()
