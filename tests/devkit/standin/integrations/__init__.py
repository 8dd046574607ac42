"""Stands where the suppliers stand."""
