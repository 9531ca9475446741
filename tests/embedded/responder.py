"""Answers requests on the bus in the place of a service."""

import json
import socket
import threading


class Responder:
    """Answers requests on one subject with the given replies, in order; None lets one time out."""

    def __init__(self, url: str, subject: str, replies: list[bytes | None]) -> None:
        self.url, self.subject, self.replies = url, subject, replies
        self.asked: list[dict[str, object]] = []
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Responder":
        host, port = self.url.removeprefix("nats://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._file = self._socket.makefile("rwb")
        self._file.readline()
        self._file.write(b'CONNECT {"verbose":false}\r\n')
        self._file.write(f"SUB {self.subject} 1\r\nPING\r\n".encode())
        self._file.flush()
        while self._file.readline() != b"PONG\r\n":
            pass
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._file.close()
        self._socket.close()

    def _serve(self) -> None:
        while line := self._file.readline():
            words = line.decode().split()
            if words[0] != "MSG":
                continue
            body = self._file.read(int(words[-1]) + 2)[:-2]
            self.asked.append(json.loads(body))
            reply = self.replies.pop(0)
            if reply is not None:
                self._file.write(f"PUB {words[3]} {len(reply)}\r\n".encode() + reply + b"\r\n")
                self._file.flush()
