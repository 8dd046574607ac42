"""What journeys, proofs and benchmarks share: people, pages, the running program, its supplier, its
books."""
