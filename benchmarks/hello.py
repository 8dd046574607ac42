"""An empty Flask view: what others are measured against. It takes the body, or its server would
hang up on the next."""

from __future__ import annotations

from flask import Flask, request


def create_app() -> Flask:
    app = Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def hello() -> tuple[str, int]:
        request.get_data()
        return "", 204

    return app
