"""A small client of Thales D1 eCom Enablement: requests for HTTP and mutual TLS, jwcrypto for JOSE.

Written from the contract documents, not from another client. It repeats what is safe to repeat, waits as long as D1
asks, and says of a failure whether the caller may try again and whether D1 may have carried the call out.
"""

import json
import random
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from email.utils import parsedate_to_datetime

import requests
import urllib3
from jwcrypto import jwe, jwk, jwt
from jwcrypto.common import JWException, base64url_decode

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ATTEMPTS = 4
LONGEST_WAIT = 30
LONGEST_BODY = 1024 * 1024
ATTEMPT_TIMEOUT = 10
# A bearer is not used in its last seconds, lest it ends on the way.
SKEW = 30


class Failed(Exception):
    """A call without a result: `outcome` is refused, unreadable, no_answer or not_sent."""

    def __init__(self, outcome, status=None, code=None, retryable="never", ambiguous=False, again=False):
        super().__init__(outcome, status, code)
        self.outcome, self.status, self.code = outcome, status, code
        self.retryable, self.ambiguous = retryable, ambiguous
        self.again = again  # the client itself may repeat it
        self.wait = None  # the seconds that D1 asks for


class Connection(urllib3.connection.HTTPSConnection):
    """One that tells what ended before a request could go out from what ended later, as requests does not."""

    def connect(self):
        try:
            super().connect()
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, "no handshake") from error


class Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = Connection


class Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}


class Client:
    """A gateway's connection to D1. Not to be shared between threads."""

    def __init__(
        self, url, gateway, *, ca, certificate, key, assertion_key, assertion_kid, d1_jwk, own_jwk, attempt_timeout=ATTEMPT_TIMEOUT
    ):
        self.operations = f"{url}/ecom/v1/merchant-gateways/{gateway}"
        self.token_url, self.gateway = f"{url}/authz/v1/oauth2/token", gateway
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount("https://", Adapter())
        self.http.verify, self.http.cert = ca, (certificate, key)
        self.signer, self.signer_kid = jwk.JWK.from_pem(_read(assertion_key)), assertion_kid
        self.d1_key, self.own_key = jwk.JWK.from_json(_read(d1_jwk)), jwk.JWK.from_json(_read(own_jwk))
        self.attempt_timeout = attempt_timeout
        self.bearer, self.bearer_ends = None, 0.0
        self.waited = 0.0  # seconds between attempts, in all

    def create_merchant(self, name):
        """Registers a merchant."""
        return self._call("POST", "/merchants", {"merchantName": name}, needs=("merchantId",))

    def create_token(self, merchant, pan, exp):
        """Tokenizes a card."""
        body = {"encryptedData": self._seal({"pan": pan, "exp": exp})}
        return self._call("POST", f"/merchants/{merchant}/tokens", body, needs=("tokenId",))

    def get_token(self, merchant, token):
        """A token with its DPAN."""
        return self._call("GET", f"/merchants/{merchant}/tokens/{token}", needs=("dpan", "exp"))

    def create_transaction(self, merchant, token, kind):
        """A DPAN and a cryptogram for one payment."""
        path = f"/merchants/{merchant}/tokens/{token}/transactions"
        return self._call("POST", path, {"transactionType": kind}, needs=("transactionId", "dpan", "exp", "cryptogram"))

    def delete_token(self, merchant, token):
        """Deletes a token; one that is gone after a deletion in doubt counts as deleted."""
        return self._call("DELETE", f"/merchants/{merchant}/tokens/{token}")

    def _call(self, method, path, body=None, needs=()):
        creates, renewed, attempt, in_doubt = method == "POST", False, 1, False
        while True:
            bearer = self._bearer()
            try:
                return self._exchange(method, self.operations + path, body, creates, needs, bearer)
            except Failed as failed:
                if failed.status == 401 and not renewed:
                    self.bearer, renewed = None, True
                    continue
                gone = failed.status == 404 and failed.code == "RESOURCE_NOT_FOUND"
                if method == "DELETE" and in_doubt and gone:
                    return {}
                in_doubt = in_doubt or failed.outcome in ("no_answer", "unreadable") or (failed.status or 0) >= 500
                self._pause(failed, attempt)
                attempt += 1

    def _bearer(self):
        if self.bearer and time.monotonic() < self.bearer_ends:
            return self.bearer
        attempt = 1
        while True:
            body = {"grant_type": JWT_BEARER, "assertion": self._assertion()}
            try:
                answer = self._exchange("POST", self.token_url, body, False, ("access_token",))
            except Failed as failed:
                self._pause(failed, attempt)
                attempt += 1
                continue
            lives = answer.get("expires_in")
            lives = lives if isinstance(lives, (int, float)) and 0 < lives < 86_400 else 0
            self.bearer, self.bearer_ends = answer["access_token"], time.monotonic() + lives - SKEW
            return self.bearer

    def _pause(self, failed, attempt):
        """Waits before the next attempt, or raises what stands."""
        own = min(0.2 * 2 ** (attempt - 1), 5.0) * random.uniform(0.5, 1.0)
        wait = max(own, failed.wait or 0)
        if not failed.again or attempt >= ATTEMPTS or wait > LONGEST_WAIT:
            raise failed
        began = time.monotonic()
        time.sleep(wait)
        self.waited += time.monotonic() - began

    def _exchange(self, method, url, body, creates, needs, bearer=None):
        """One request and its answer, judged."""
        headers = {"x-correlation-id": f"py-{random.getrandbits(64):016x}", "accept": "application/json"}
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        # Nothing can be concluded of a creation whose answer is lost; all else may be done again.
        doubt = {"ambiguous": creates, "retryable": "never" if creates else "safe", "again": not creates}
        try:
            answer, content = self._in_time(method, url, body, headers)
        except TimeoutError as error:
            raise Failed("no_answer", **doubt) from error
        except requests.exceptions.SSLError as error:
            # Whoever is not D1 got nothing; anything else befell a request that was on its way.
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            raise Failed("no_answer", **({} if untrusted else doubt)) from error
        except requests.exceptions.ConnectionError as error:
            if _never_connected(error):
                raise Failed("no_answer", retryable="safe", again=not creates) from error
            raise Failed("no_answer", **doubt) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Failed("no_answer", **doubt) from error
        if answer.status_code < 200 or not _has_clear_end(answer):
            raise Failed("no_answer", **doubt)
        if not 200 <= answer.status_code < 300:
            raise _refused(answer, content, creates)
        try:
            return self._understood(answer.status_code, content, needs)
        except (ValueError, KeyError, TypeError, JWException) as error:
            raise Failed("unreadable", **doubt) from error

    def _in_time(self, method, url, body, headers):
        """One request, and an end to it: the times of requests are those between two bytes, so that a slow peer has none."""
        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(self._send, method, url, body, headers).result(self.attempt_timeout)
            except FutureTimeoutError as error:
                raise TimeoutError from error
            finally:
                pool.shutdown(wait=False)

    def _send(self, method, url, body, headers):
        # Half of the time for the handshake, so that its end is told from that of the whole.
        times = (self.attempt_timeout / 2, self.attempt_timeout)
        answer = self.http.request(method, url, json=body, headers=headers, timeout=times, allow_redirects=False, stream=True)
        with answer:
            content = answer.raw.read(LONGEST_BODY + 1, decode_content=True)
        # urllib3 does not see bytes that stand behind an answer, and would take them for the next one.
        self.http.close()
        return answer, content

    def _understood(self, status, content, needs):
        """The members of a good answer, those inside a JWE among them."""
        if status == 204 and not needs:
            return {}
        members = _object(content)
        if "encryptedData" in members:
            members |= self._open(members.pop("encryptedData"))
        for name in needs:
            if not isinstance(members[name], str) or not members[name]:
                raise ValueError(f"{name} is not a text")
        return members

    def _assertion(self):
        now = int(time.time())
        # D1 takes no assertion that was made in the future of its own clock, which may be a little behind.
        claims = {"iss": self.gateway, "sub": self.gateway, "iat": now - 60, "exp": now + 300}
        token = jwt.JWT(header={"alg": "ES256", "kid": self.signer_kid}, claims=claims)
        token.make_signed_token(self.signer)
        return token.serialize()

    def _seal(self, plaintext):
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": self.d1_key["kid"]}
        sealed = jwe.JWE(json.dumps(plaintext).encode(), protected=json.dumps(header), recipient=self.d1_key)
        return sealed.serialize(compact=True)

    def _open(self, text):
        # Form, header and algorithms are ours to say: jwcrypto would take JSON, and inflate what it is told to.
        parts = text.split(".") if isinstance(text, str) else []
        if len(parts) != 5 or set(json.loads(base64url_decode(parts[0]))) - {"alg", "enc", "kid", "epk"}:
            raise ValueError("no JWE of D1's form")
        sealed = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
        sealed.deserialize(text, self.own_key)
        return _object(sealed.payload)


def _refused(answer, content, creates):
    """What an error status means for the caller."""
    try:
        code = _object(content).get("errorCode")
    except (ValueError, TypeError):
        code = None
    code = code if isinstance(code, str) and code else None
    status = answer.status_code
    wait = _retry_after(answer.headers.get("retry-after"))
    later = "safe" if wait is None else "after"
    failed = Failed("refused", status, code)
    failed.wait = wait
    if status == 429 or (status == 503 and code):
        failed.retryable, failed.again = later, True
    elif status in (502, 503, 504):
        failed.ambiguous, failed.again = creates, not creates
        failed.retryable = "never" if creates else later
    elif not 400 <= status < 500:
        failed.ambiguous = creates
    return failed


def _retry_after(text):
    """Seconds, of a number or a date; nothing for anything else, which our own pause stands for."""
    if text and text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), 86_400)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(until - time.time(), 0), 86_400)


def _has_clear_end(answer):
    """Whether the body has a length or chunks: one that ends with the connection may have been cut off on the way."""
    return answer.status_code == 204 or "content-length" in answer.headers or answer.raw.chunked


def _never_connected(error):
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError))


def _object(content):
    if len(content) > LONGEST_BODY:
        raise ValueError("too long")
    try:
        read = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(read, dict):
        raise ValueError("no object")
    return read


def _read(path):
    with open(path, "rb") as file:
        return file.read()
