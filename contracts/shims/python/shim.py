"""The client beside it, as `d1sim contract run --exec` wants it: see ../PROTOCOL.md."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from d1_client import Client, Failed

writing = threading.Lock()


def say(message):
    with writing:
        print(json.dumps(message), flush=True)


def make(client, operation, given):
    if operation == "createMerchant":
        return client.create_merchant(given["merchantName"])
    if operation == "createToken":
        return client.create_token(given["merchantId"], given["pan"], given["exp"])
    if operation == "getToken":
        return client.get_token(given["merchantId"], given["tokenId"])
    if operation == "createTransaction":
        return client.create_transaction(given["merchantId"], given["tokenId"], given["transactionType"])
    return client.delete_token(given["merchantId"], given["tokenId"])


def answer(call):
    files = call["files"]
    client = Client(
        call["base_url"], call["gateway"], ca=files["ca"], certificate=files["client_certificate"], key=files["client_key"],
        attempt_timeout=call["attempt_timeout_ms"] / 1000, assertion_key=files["assertion_key"], assertion_kid=files["assertion_kid"], d1_jwk=files["d1_jwk"], own_jwk=files["own_jwk"],
    )
    told = {"id": call["id"], "outcome": "ok", "retryable": "never", "ambiguous": False}
    try:
        made = make(client, call["operation"], call["arguments"])
        # What the contract names is text; what D1 has added, however deep, is nobody's business here.
        told["result"] = {name: value for name, value in made.items() if isinstance(value, str)}
    except Failed as failed:
        refused = {"refused": {"status": failed.status, "code": failed.code}}
        told["outcome"] = refused if failed.outcome == "refused" else failed.outcome
        told |= {"retryable": failed.retryable, "ambiguous": failed.ambiguous}
    say({"told": told | {"waited_ms": int(client.waited * 1000)}})


def main():
    with ThreadPoolExecutor(8) as pool:
        for line in sys.stdin:
            message = json.loads(line)
            if "hello" in message:
                say({"hello": {"protocol": 1, "client": "d1_client.py 1.0", "features": ["parallel"]}})
            elif "call" in message:
                pool.submit(answer, message["call"])
            else:
                break


main()
