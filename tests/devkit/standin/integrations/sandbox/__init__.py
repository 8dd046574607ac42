"""Stands where the sandbox supplier stands."""
