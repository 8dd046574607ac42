"""What happened in a store that its people want to know in time: in the list *News* of the portal,
and on devices that asked for them.

Nothing of it is stored: each kind is read from the orders and the wallet themselves (`reading`), so
it costs no order and no purchase anything. Stored is what somebody has read (`marks`), and which
devices are told what (`devices`). `sending` says what one device is to be told now; the wire is
`integrations.webpush`, the job `fulfilment.notices`.
"""

from core.notices import devices, kinds, marks, reading, sending
from core.notices.kinds import KINDS, Kind

__all__ = ["KINDS", "Kind", "devices", "kinds", "marks", "reading", "sending"]
