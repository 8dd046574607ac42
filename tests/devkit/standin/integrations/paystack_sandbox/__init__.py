"""Stands where the sandbox gateway stands."""
