"""A supplier that only answers `/health` and remembers the webhook it was told."""

from __future__ import annotations

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
parser.add_argument("--db", type=Path)
parser.add_argument("--profile")
parser.add_argument("--auto-fulfil", type=float)
options = parser.parse_args()


class Supplier(BaseHTTPRequestHandler):
    """One request of the test or of `up`."""

    def do_GET(self) -> None:
        self._answer(200)

    def do_PUT(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["X-API-Key"] == os.environ["SANDBOX_API_KEY"]
        options.db.write_text(
            json.dumps({"path": self.path, **said, "profile": options.profile})
        )
        self._answer(200 if known else 401)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


HTTPServer((options.host, options.port), Supplier).serve_forever()
