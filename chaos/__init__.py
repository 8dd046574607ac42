"""The names of before of two proofs, for one release: `python3 dev.py prove` runs them now."""
