"""A mail server on this machine that takes mail as good and bad ones do, and keeps what it got."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class MailServer:
    """`refused` maps an address to the answer to it. `silent` takes a connection and never says a word."""

    refused: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 Taken"
    greeting: str = "220 Ready"
    silent: bool = False
    disconnect_after: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def recipients(self) -> list[str]:
        return [str(mail["To"]) for mail in self.mails]


@contextmanager
def mail_server() -> Iterator[MailServer]:
    state = MailServer()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()


def _handler(state: MailServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            state.connections += 1
            if state.silent:
                state.closing.wait(30)
                return
            self.taken = 0
            self.say(state.greeting)
            while line := self.rfile.readline().decode().strip():
                if not self.answer(line):
                    return

        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def answer(self, line: str) -> bool:
            """Whether the connection goes on."""
            word = line.split(":")[0].split(" ")[0].upper()
            if word == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                self.say(state.refused.get(address, "250 Fine"))
            elif word == "DATA":
                self.say("354 Go on")
                self.keep()
                return not state.disconnect_after or self.taken < state.disconnect_after
            elif word == "QUIT":
                self.say("221 Goodbye")
                return False
            else:
                self.say("250 Fine")
            return True

        def keep(self) -> None:
            lines: list[bytes] = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b"..") else line)
            self.taken += 1
            if state.data_answer.startswith("250"):
                state.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
            self.say(state.data_answer)

    return Handler
