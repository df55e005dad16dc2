"""The whole first payment and its life-cycle events, by a client that is not written in Rust.

`D1SIM=target/release/d1sim python payment.py`: one line per check, exit 1 if one failed.
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

import requests
from gateway import GATEWAY, Gateway, luhn, tampered
from receiver import Receiver

PLANNED = 51
CARD = {"pan": "9999990000000014", "exp": "1239"}
OTHER_CARD = {"pan": "5555555555554444", "exp": "1139"}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Checks:
    """Counts, and prints a line each."""

    passed = failed = 0

    def check(self, name, holds, found=""):
        """One check; `found` is the reason if it does not hold."""
        if holds:
            self.passed += 1
            print(f"ok payment: {name}", flush=True)
        else:
            self.failed += 1
            reason = re.sub(r"eyJ[\w.-]+", "eyJ***", str(found)[:600])  # tokens and JWEs stay out of it
            print(f"not ok payment: {name}: {reason}".replace("\n", " "), flush=True)

    def same(self, name, expected, found):
        """Equality."""
        self.check(name, expected == found, f"expected {expected!r}, found {found!r}")

    def matches(self, name, pattern, text):
        """The whole text has the form."""
        self.check(name, re.fullmatch(pattern, str(text)), f"expected {pattern}, found {text!r}")


def answer(response):
    """Status and body, to compare and to show."""
    return response.status_code, response.json() if response.content else None


def refused(field):
    """What a member in error is answered with."""
    return 400, {"errorCode": "INVALID_FIELD", "error": field}


def access(checks, gateway):
    """The token endpoint."""
    got = gateway.ask_token(gateway.assertion())
    body = got.json()
    checks.same("an assertion is exchanged", 200, got.status_code)
    checks.same("the bearer's type", "Bearer", body.get("token_type"))
    checks.same("the bearer's life", 900, body.get("expires_in"))
    checks.same("the bearer's scope", "d1-s2s:api:merchant-gtw", body.get("scope"))
    checks.same("the correlation id is echoed", "payment-py", got.headers.get("x-correlation-id"))
    gateway.bearer = body["access_token"]
    for name, assertion in {
        "an expired assertion": gateway.assertion(lives=-1),
        "an assertion that lives too long": gateway.assertion(lives=1000),
        "an assertion of another issuer": gateway.assertion(iss="MGW_000002", sub="MGW_000002"),
        "a tampered assertion": tampered(gateway.assertion(), 2),
    }.items():
        checks.same(f"{name} is refused", refused("assertion"), answer(gateway.ask_token(assertion)))
    wrong = gateway.call("POST", "/merchants", {"merchantName": "x"}, bearer="eyJhbGciOiJFUzI1NiJ9.e30.AA")
    checks.same("a foreign bearer is refused", (401, {"error": "AUTHORIZER_UNAUTHORIZED"}), answer(wrong))


def onboard(checks, gateway):
    """A merchant. Gives the path of its tokens."""
    status, body = answer(gateway.call("POST", "/merchants", {"merchantName": "Buchhandlung Österreich"}))
    checks.same("a merchant is made", (201, "Buchhandlung Österreich"), (status, body.get("merchantName")))
    checks.matches("the merchant's identifier", r"\d{11}", body.get("merchantId"))
    return f"/merchants/{body['merchantId']}/tokens"


def tokenize(checks, gateway, tokens):
    """A card becomes a token. Gives its path."""
    status, body = answer(gateway.call("POST", tokens, {"encryptedData": gateway.seal(CARD), "source": "MANUAL"}))
    checks.same("a card becomes a token", (201, "ACTIVE"), (status, body.get("state")))
    shown = body.get("cardLastDigits"), body.get("cardExpiryDate")
    checks.same("the token shows the card's end", (CARD["pan"][-4:], CARD["exp"]), shown)
    checks.matches("the token's identifier", r"[A-Za-z0-9_-]{1,48}", body.get("tokenId"))
    return f"{tokens}/{body['tokenId']}"


def refused_cards(checks, gateway, tokens):
    """JWEs that must not be opened, or not be believed."""
    good = gateway.seal(CARD)
    names = ["header", "encrypted key", "iv", "ciphertext", "tag"]
    cases = {f"a JWE with a changed {name}": tampered(good, part) for part, name in enumerate(names)}
    cases["a JWE for an unknown key"] = gateway.seal(CARD, kid="nobody")
    cases["a JWE with a wrapped key"] = gateway.seal(CARD, alg="ECDH-ES+A256KW")
    cases["a JWE with another cipher"] = gateway.seal(CARD, enc="A128GCM")
    cases["a JWE with one more header"] = gateway.seal(CARD, typ="JOSE")
    cases["a JWE of a card number that fails Luhn"] = gateway.seal(CARD | {"pan": "9999990000000015"})
    for name, text in cases.items():
        got = gateway.call("POST", tokens, {"encryptedData": text})
        checks.same(f"{name} is refused", refused("encryptedData"), answer(got))


def pay(checks, gateway, token):
    """The DPAN, and a cryptogram to pay with. Gives the DPAN."""
    status, body = answer(gateway.call("GET", token))
    stored, header = gateway.open(body["encryptedData"])
    checks.same("getToken opens with jwcrypto", (200, {"dpan", "exp"}), (status, set(stored)))
    checks.same("its JWE header has exactly four members", {"alg", "enc", "kid", "epk"}, set(header))
    checks.check("its DPAN has 16 digits and passes Luhn", re.fullmatch(r"\d{16}", stored["dpan"]) and luhn(stored["dpan"]))
    status, body = answer(gateway.call("POST", f"{token}/transactions", {"transactionType": "SINGLE"}))
    payment, _ = gateway.open(body["encryptedData"])
    checks.same("createTransaction opens with jwcrypto", (201, {"dpan", "exp", "cryptogram"}), (status, set(payment)))
    checks.same("the payment is made with the token's DPAN", stored, {name: payment[name] for name in stored})
    cryptogram = base64.b64decode(payment["cryptogram"], validate=True)
    checks.same("the cryptogram has 20 bytes", 20, len(cryptogram))
    checks.matches("the cryptogram's end and the eci", INSTANT + r" \d\d", f"{body['cryptogramExpiryDate']} {body['eci']}")
    return stored["dpan"]


def post_event(admin, token, event, **members):
    """The issuer or the token service provider acts."""
    body = {"gateway": GATEWAY, "tokenId": token.rsplit("/", 1)[1], "event": event} | members
    posted = requests.Session()
    posted.trust_env = False
    got = posted.post(f"{admin}/events", json=body, timeout=20)
    if got.status_code != 202:
        raise RuntimeError(f"{event}: expected 202 of /events, found {got.status_code} {got.text}")


def told(checks, gateway, receiver, token, expected, note=""):
    """One notification: its way, its body, its JWE. Gives body and what the JWE held."""
    event, state, sequence, sealed = expected
    came = receiver.next()
    where = f"/merchant-gateways/{GATEWAY}{token}/notify-update"
    on_its_way = came.path == where and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", came.headers.get("x-correlation-id", ""))
    body = came.body
    summary = body.get("eventType"), body.get("state"), body.get("sequence"), "encryptedData" in body
    well_formed = re.fullmatch(UUID, body.get("eventId", "")) and re.fullmatch(INSTANT, body.get("lastUpdateTimestamp", ""))
    checks.check(
        f"{event} arrives as number {sequence}{note}",
        on_its_way and well_formed and came.headers.get("content-type") == "application/json" and summary == expected,
        f"expected {expected} at {where}, found {summary} at {came.path}: {sorted(body)}, {sorted(came.headers)}",
    )
    held = gateway.open(body["encryptedData"])[0] if sealed else None
    return came, held


def events(checks, gateway, receiver, admin, token, other):
    """All seven causes."""
    dpan = gateway.open(answer(gateway.call("GET", token))[1]["encryptedData"])[0]["dpan"]
    post_event(admin, token, "token.suspend")
    came, _ = told(checks, gateway, receiver, token, ("TOKEN_SUSPENDED", "SUSPENDED", 1, False))
    checks.check("D1 showed its client certificate", came.caller, came.caller)
    denied = answer(gateway.call("POST", f"{token}/transactions", {"transactionType": "SINGLE"}))
    checks.same("a suspended token does not pay", (403, "FORBIDDEN_STATE"), (denied[0], denied[1].get("errorCode")))

    receiver.next_answers.put(503)
    post_event(admin, token, "token.resume")
    first, _ = told(checks, gateway, receiver, token, ("TOKEN_RESUMED", "ACTIVE", 2, False))
    again, _ = told(checks, gateway, receiver, token, ("TOKEN_RESUMED", "ACTIVE", 2, False), ", a second time")
    checks.same("what was answered 503 comes again, the same", first.body["eventId"], again.body["eventId"])

    post_event(admin, token, "token.extend", exp="0745")
    came, held = told(checks, gateway, receiver, token, ("TOKEN_UPDATED", "ACTIVE", 3, True))
    checks.same("an extended token has its new date", ({"dpan": dpan, "exp": "0745"}, "0745"), (held, came.body["tokenExpiryDate"]))

    post_event(admin, token, "card.renew", exp="0844")
    came, _ = told(checks, gateway, receiver, token, ("CARD_UPDATED", "ACTIVE", 4, False))
    checks.same("a renewed card has its new date", "0844", came.body["cardExpiryDate"])

    post_event(admin, token, "card.replace", pan="4111111111111111", exp="0945")
    came, held = told(checks, gateway, receiver, token, ("CARD_UPDATED", "ACTIVE", 5, True))
    card = came.body["cardLastDigits"], came.body["cardExpiryDate"]
    checks.same("a replaced card has its new number and date", ("1111", "0945"), card)
    current = gateway.open(answer(gateway.call("GET", token))[1]["encryptedData"])[0]
    checks.check("and its tokens a new DPAN", held == current and held["dpan"] != dpan and luhn(held["dpan"]), held == current)

    post_event(admin, token, "token.delete")
    told(checks, gateway, receiver, token, ("TOKEN_DELETED", "DELETED", 6, False))
    post_event(admin, other, "card.delete")
    told(checks, gateway, receiver, other, ("TOKEN_DELETED", "DELETED", 1, False))


def delete(checks, gateway, receiver, tokens):
    """The merchant deletes a token, and hears nothing of it."""
    made = answer(gateway.call("POST", tokens, {"encryptedData": gateway.seal(CARD)}))[1]
    token = f"{tokens}/{made['tokenId']}"
    checks.same("deleteToken", (204, None), answer(gateway.call("DELETE", token)))
    gone = answer(gateway.call("GET", token))
    checks.same("a deleted token is gone", (404, "RESOURCE_NOT_FOUND"), (gone[0], gone[1].get("errorCode")))
    checks.check("nobody is told of their own deletion", receiver.is_quiet(1.5), "a notification came")


def start(d1sim, folder, receiver_url):
    """A sandbox; gives the process and its addresses."""
    ready = folder.parent / "ready.json"
    log = open(folder.parent / "d1sim.log", "wb")  # the process owns it
    command = [d1sim, "serve", "--config", str(folder / "sandbox.yaml"), "--receiver", receiver_url, "--ready-file", str(ready)]
    process = subprocess.Popen([*command, "--api", "127.0.0.1:0", "--admin", "127.0.0.1:0"], stdout=log, stderr=log)
    until = time.monotonic() + 30
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise RuntimeError(f"d1sim does not start: {(folder.parent / 'd1sim.log').read_text()[-600:]}")
        time.sleep(0.02)
    return process, json.loads(ready.read_text())


def run(checks, work):
    """Everything, in a folder of its own."""
    d1sim = os.environ.get("D1SIM") or str(pathlib.Path(__file__).parents[2] / "target/release/d1sim")
    folder = work / "d1-sandbox"
    subprocess.run([d1sim, "init", str(folder)], check=True, capture_output=True, timeout=60)
    receiver = Receiver(folder)
    process, address = start(d1sim, folder, receiver.url)
    try:
        gateway = Gateway(folder, address["api"])
        access(checks, gateway)
        tokens = onboard(checks, gateway)
        token = tokenize(checks, gateway, tokens)
        refused_cards(checks, gateway, tokens)
        pay(checks, gateway, token)
        other = answer(gateway.call("POST", tokens, {"encryptedData": gateway.seal(OTHER_CARD)}))[1]["tokenId"]
        events(checks, gateway, receiver, address["admin"], token, f"{tokens}/{other}")
        delete(checks, gateway, receiver, tokens)
        process.terminate()
        checks.same("SIGTERM ends the sandbox with exit code 0", 0, process.wait(timeout=20))
    finally:
        process.kill()
        process.wait()
        receiver.close()


def main():
    """Exit code 0 if all planned checks were made and passed."""
    checks = Checks()
    try:
        with tempfile.TemporaryDirectory(prefix="d1-payment-") as work:
            run(checks, pathlib.Path(work))
    except Exception as error:  # whatever it is, it is a failed check
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__][-1]
        checks.check("runs to its end", False, f"{type(error).__name__} in {where.name}, line {where.lineno}: {error}")
    made = checks.passed + checks.failed
    if checks.failed == 0 and made != PLANNED:
        checks.check("makes all its checks", False, f"{PLANNED} planned, {made} made")
    sys.exit(1 if checks.failed else 0)


main()
