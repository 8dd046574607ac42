"""The same shop page as four usual frameworks serve it, for `benchmarks.beside_peers`.

Each in its own usual way: Django's and SQLAlchemy's ORM, the framework's own templates, a prepared
statement for Express. The database is named by PEER_DATABASE_URL, the shop by the Host header.
None of it is part of Makola: their packages are pinned in `requirements.txt` and `package.json`
here, and installed elsewhere.
"""
