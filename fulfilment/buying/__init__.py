"""One order at the supplier: the steps, the one call that buys, what answers mean, when to look
again."""
