"""A stand-alone supplier that speaks Data Mart's reseller wire and misbehaves on demand.

It shares no code with the client, so that the two cannot share a mistake. Start at `app.py` or
`serve.py`.
"""
