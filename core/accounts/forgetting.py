"""What goes with a person who is removed, beside roles and log-ins: addresses, second step, news of
devices."""

from __future__ import annotations

from core.accounts import confirmations, new_devices, second_steps
from core.base.preconditions import inside_use_case


@inside_use_case
def forget(user_id: int) -> None:
    """Forget all of it. Who comes back under the same address begins anew."""
    confirmations.forget(user_id)
    new_devices.forget(user_id)
    second_steps.forget(user_id)
