"""Receives webhooks of Tasklane on a free port and writes down what is genuine.

    python3 webhook_receiver.py DIRECTORY

DIRECTORY/port gets the port, DIRECTORY/secret is read (whsec_...), DIRECTORY/events gets one line for each new event.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECONDS = 300


def verify(secret, headers, body):
    """True if the body was signed with the secret within the last minutes (Standard Webhooks)."""
    sent_at = headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # Several while a secret is being replaced.
    return any(hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split(" "))


def main(directory):
    seen = set()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            genuine = verify((directory / "secret").read_text().strip(), self.headers, body)
            if genuine and self.headers["webhook-id"] not in seen:
                seen.add(self.headers["webhook-id"])
                event = json.loads(body)
                with (directory / "events").open("a") as events:
                    print(event["type"], event["subject"], event["data"].get("module", "-"), "genuine", file=events)
            self.send_response(204 if genuine else 401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    (directory / "port").write_text(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
