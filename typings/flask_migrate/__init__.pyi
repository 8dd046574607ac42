from flask import Flask
from flask_sqlalchemy import SQLAlchemy

class Migrate:
    directory: str
    def __init__(self, app: Flask, db: SQLAlchemy, directory: str) -> None: ...
