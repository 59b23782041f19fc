"""The library standardwebhooks, as it comes, checks what crm sends.

CLOSED_URL is the address of a service that may send to this machine, CLOSED_TOKEN a token of it with the scope admin.
"""

import http.server
import json
import os
import queue
import threading
import unittest
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

URL, TOKEN = os.environ["CLOSED_URL"], os.environ["CLOSED_TOKEN"]


def ask(method: str, path: str, body: object = None) -> dict:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class Webhooks(unittest.TestCase):
    def setUp(self) -> None:
        got: queue.Queue = queue.Queue()

        class Receiver(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.put((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.got = got
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"

    def test_what_arrives_is_verified(self) -> None:
        made = ask("POST", "/webhooks", {"url": self.url, "types": ["lead.*"], "name": "python"})
        old = made["secret"]
        ask("POST", "/leads", {"email": "ada@example.com", "name": "Ada Lövelace"})
        headers, body = self.got.get(timeout=60)
        change = Webhook(old).verify(body, headers)
        self.assertEqual(change["type"], "lead.created")
        self.assertEqual(change["data"]["record"]["name"], "Ada Lövelace")
        with self.assertRaises(WebhookVerificationError):
            Webhook(old).verify(body + b" ", headers)

        new = ask("POST", "/webhooks/python/rotate")["secret"]
        self.assertNotEqual(new, old)
        # The service notices the new secret within a second.
        for number in range(600):
            ask("POST", "/webhooks/python/test")
            headers, body = self.got.get(timeout=60)
            Webhook(old).verify(body, headers)
            if " " in headers["webhook-signature"]:
                break
        test = Webhook(new).verify(body, headers)
        self.assertEqual(test["type"], "webhook.test")
        ask("DELETE", "/webhooks/python")


if __name__ == "__main__":
    unittest.main()
