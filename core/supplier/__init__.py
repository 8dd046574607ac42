"""What we know of the supplier: its link, its calls and webhooks, the call budget, the balances it
told us."""
