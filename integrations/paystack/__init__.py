"""Paystack in Ghana, behind the port of payments. Start at `client.py`."""
