"""The web service that knows browsers. It prints its port.

python -m questionnaire.browser_service
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class BrowserService(BaseHTTPRequestHandler):
    """`GET /?agent=Firefox/145.0` → `{"family": "Firefox", "version": "145.0"}`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the standard library's name
        (agent,) = parse_qs(urlsplit(self.path).query)["agent"]
        family, _, version = agent.partition("/")
        body = json.dumps({"family": family, "version": version}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
        """Does not log requests."""


class Server(ThreadingHTTPServer):
    """An HTTP server with a long queue, because many tasks connect at once."""

    request_queue_size = 256
    daemon_threads = True


if __name__ == "__main__":
    address = ("", int(sys.argv[1])) if len(sys.argv) > 1 else ("127.0.0.1", 0)
    server = Server(address, BrowserService)
    print(server.server_port, flush=True)
    server.serve_forever()
