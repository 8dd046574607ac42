"""An empty Flask view: what others are measured against."""

from __future__ import annotations

from flask import Flask


def create_app() -> Flask:
    app = Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def hello() -> tuple[str, int]:
        return "", 204

    return app
