"""A gateway's receiver of notifications: the standard library's HTTP server behind mutual TLS."""

import json
import queue
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Notification:
    """One request as it came."""

    path: str
    headers: dict
    body: dict
    caller: str


class Receiver:
    """Listens on a free port; answers 204, or the statuses of `next_answers` first."""

    def __init__(self, folder):
        self.received = queue.Queue()
        self.next_answers = queue.Queue()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "receiver/server.pem", folder / "receiver/server.key")
        context.load_verify_locations(folder / "ca/thales-client-ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, seconds=30):
        """The next notification; `queue.Empty` if none comes."""
        return self.received.get(timeout=seconds)

    def is_quiet(self, seconds):
        """Whether nothing comes for so long."""
        try:
            self.received.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def close(self):
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self):
                body = self.rfile.read(min(int(self.headers["content-length"]), 65536))
                subject = dict(pair[0] for pair in self.connection.getpeercert()["subject"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.put(Notification(self.path, headers, json.loads(body), subject["commonName"]))
                try:
                    status = receiver.next_answers.get_nowait()
                except queue.Empty:
                    status = 204
                self.send_response(status)
                if status != 204:
                    self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler
