"""A merchant gateway that shares no code with the sandbox: requests for HTTP and mutual TLS, jwcrypto for JOSE."""

import json
import time

import requests
from jwcrypto import jwe, jwk, jwt

GATEWAY = "MGW_000001"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Gateway:
    """The gateway of a sandbox folder."""

    def __init__(self, folder, api):
        self.base = f"{api}/ecom/v1/merchant-gateways/{GATEWAY}"
        self.token_url = f"{api}/authz/v1/oauth2/token"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(folder / "ca/server-ca.pem")
        self.http.cert = (str(folder / "gateway/client.pem"), str(folder / "gateway/client.key"))
        self.signer = jwk.JWK.from_pem((folder / "gateway/assertion.key").read_bytes())
        self.signer_kid = json.loads((folder / "gateway/assertion.jwk").read_text())["kid"]
        self.own_key = jwk.JWK.from_json((folder / "gateway/jwe.jwk").read_text())
        self.d1_key = jwk.JWK.from_json((folder / "d1/jwe.jwk").read_text())
        self.bearer = None

    def call(self, method, path, body=None, bearer=None):
        """One operation below the gateway's path."""
        headers = {"x-correlation-id": "payment-py", "authorization": f"Bearer {bearer or self.bearer}"}
        return self.http.request(method, self.base + path, json=body, headers=headers, timeout=20, allow_redirects=False)

    def assertion(self, lives=300, **changes):
        """A signed assertion that ends in `lives` seconds."""
        now = int(time.time())
        claims = {"iss": GATEWAY, "sub": GATEWAY, "iat": now + min(lives, 0), "exp": now + lives} | changes
        token = jwt.JWT(header={"alg": "ES256", "kid": self.signer_kid}, claims=claims)
        token.make_signed_token(self.signer)
        return token.serialize()

    def ask_token(self, assertion, **changes):
        """The token endpoint's answer to an assertion."""
        body = {"grant_type": JWT_BEARER, "assertion": assertion} | changes
        return self.http.post(self.token_url, json=body, headers={"x-correlation-id": "payment-py"}, timeout=20)

    def seal(self, plaintext, **header):
        """A JWE toward D1, in compact serialization."""
        protected = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": self.d1_key["kid"]} | header
        sealed = jwe.JWE(json.dumps(plaintext).encode(), protected=json.dumps(protected), recipient=self.d1_key)
        return sealed.serialize(compact=True)

    def open(self, text):
        """What a JWE toward this gateway holds, and its header."""
        sealed = jwe.JWE(algs=["ECDH-ES", "A256GCM"])
        sealed.deserialize(text, self.own_key)
        return json.loads(sealed.payload), json.loads(sealed.objects["protected"])


def luhn(digits):
    """Whether the last digit checks the others."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def tampered(text, part):
    """The JWE with one bit changed in one of its five parts."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = text.split(".")
    first, rest = parts[part][:1] or "A", parts[part][1:]
    parts[part] = alphabet[alphabet.index(first) ^ 1] + rest
    return ".".join(parts)
