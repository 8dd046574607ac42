"""A gateway that only answers, and remembers which key it was given."""

from __future__ import annotations

import argparse
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--db", type=Path)
parser.add_argument("--time-scale", type=float)
parser.add_argument("--webhook-url")
options = parser.parse_args()
options.db.write_text(os.environ["PAYSTACK_SANDBOX_TEST_KEY"])


class Gateway(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


HTTPServer(("127.0.0.1", options.port), Gateway).serve_forever()
