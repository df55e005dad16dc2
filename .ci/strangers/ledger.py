"""A gateway's receiver that keeps what D1 tells it, and its probe: `ledger.py serve DIR` and `ledger.py probe DIR`.

The standard library's HTTP server behind mutual TLS, and jwcrypto. DIR is a sandbox folder; the ledger lies in it.
LEDGER_FAULT=arrival takes any second event of a token for a repetition, as hasty receivers do.
"""

import json
import os
import re
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jwcrypto import jwe, jwk

MOST = 65536
PATH = re.compile(r"/merchant-gateways/([^/]+)/merchants/([^/]+)/tokens/([^/]+)/notify-update")
KEPT = ["state", "cardLastDigits", "cardExpiryDate", "tokenLastDigits", "tokenExpiryDate"]


class Ledger:
    """What is known of each token, written to a file after each change."""

    def __init__(self, folder):
        self.file, self.lock, self.tokens = folder / "ledger.json", threading.Lock(), {}

    def take(self, token, event, digits):
        with self.lock:
            known = self.tokens.setdefault(token, {"seen": [], "sequence": 0, "events": 0, "members": {}})
            key = event.get("eventId") or json.dumps(event, sort_keys=True)
            if key in known["seen"] or (os.environ.get("LEDGER_FAULT") == "arrival" and known["seen"]):
                return
            known["seen"].append(key)
            known["events"] += 1
            sequence = event.get("sequence", known["sequence"])
            if sequence >= known["sequence"]:
                known["sequence"] = sequence
                known["members"] |= {name: event[name] for name in KEPT if isinstance(event.get(name), str)} | digits
            self.file.write_text(json.dumps(self.tokens))


def handler(ledger, gateway, key):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self):
            self.answer(self.status())

        def status(self):
            target = PATH.fullmatch(self.path)
            if not target or target[1] != gateway:
                return 404
            length = int(self.headers.get("content-length", 0))
            if length > MOST:
                self.close_connection = True
                return 413
            try:
                event = json.loads(self.rfile.read(length).decode())
                digits = opened(event["encryptedData"], key) if "encryptedData" in event else {}
                ledger.take(target[3], event, digits)
            except RecursionError:
                return 400
            except Exception:  # whatever is wrong with an event, it is not taken over
                return 400
            return 204

        def answer(self, status):
            self.send_response(status)
            if status != 204:
                self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self):
            self.close_connection = True
            self.answer(405)

        def log_message(self, *_):
            pass

    return Handler


def opened(text, key):
    # The algorithms are ours to say, not the header's.
    sealed = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
    sealed.deserialize(text, key)
    return {"dpanLastDigits": json.loads(sealed.payload)["dpan"][-4:]}


def serve(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "receiver/server.pem", folder / "receiver/server.key")
    context.load_verify_locations(folder / "ca/thales-client-ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    key = jwk.JWK.from_json((folder / "gateway/jwe.jwk").read_text())
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(Ledger(folder), "MGW_000001", key))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"https://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


def probe(folder):
    file, token = folder / "ledger.json", json.loads(sys.stdin.readline())["tokenId"]
    known = json.loads(file.read_text()).get(token) if file.exists() else None
    print(json.dumps(known and {name: None for name in KEPT} | known["members"] | {"events": known["events"]}))


if __name__ == "__main__":
    {"serve": serve, "probe": probe}[sys.argv[1]](Path(sys.argv[2]))
