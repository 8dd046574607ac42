"""Lists of orders that an agent pastes or uploads: the bytes of a file as text (`files`), a text
as lines (`splitting`), what a line says (`reading`), what is on the shelf (`offered`), all lines
looked at before any money moves (`checking`), kept, mended and confirmed once (`keeping`), placed
some at a time (`placing`), and what became of them (`results`). The rows are
`core.orders.batching`'s, since forgetting a number empties them.
"""

from core.batches import (
    checking,
    files,
    keeping,
    offered,
    placing,
    reading,
    results,
    splitting,
)

__all__ = [
    "checking",
    "files",
    "keeping",
    "offered",
    "placing",
    "reading",
    "results",
    "splitting",
]
