"""A stand-alone Paystack for Ghana that speaks its wire and misbehaves on demand.

It shares no code with the client, so that the two cannot share a mistake; sockets and clock are the
sandbox supplier's. Start at `app.py` or `serve.py`.
"""
