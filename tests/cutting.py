"""A wire to PostgreSQL that can be cut: for whoever is at its other end, the server is away."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The name of a server's socket in its folder, which is all that its clients are given.
_NAME = ".s.PGSQL.5432"


class Cable:
    """Hands bytes through between a socket in a folder of its own and the real server's."""

    def __init__(self, *, real: Path, folder: Path) -> None:
        self.folder = folder
        self._real = str(real / _NAME)
        self._is_cut = False
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / _NAME))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let nobody through until it is mended."""
        with self._lock:
            self._is_cut = True
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        with self._lock:
            if self._is_cut:
                near.close()
                far.close()
                return
            far.connect(self._real)
            self._ends |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._hand_on, args=(source, sink), daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while read := source.recv(65536):
                sink.sendall(read)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._ends.discard(source)
        source.close()


@contextmanager
def cable(*, real: Path) -> Iterator[Cable]:
    """Lay a cable to the server whose socket is in a folder."""
    with tempfile.TemporaryDirectory(prefix="costsite-cable-") as folder:
        laid = Cable(real=real, folder=Path(folder))
        try:
            yield laid
        finally:
            laid.close()
