"""What is done in one store as the platform: in that store alone."""

from __future__ import annotations

import pytest

from core.base import tenancy
from core.base.in_store import as_platform_in_store
from core.base.tenancy import ForeignRow


@as_platform_in_store
def where(store_id: int) -> tuple[int, bool, bool]:
    return tenancy.current_store_id(), tenancy.is_platform(), tenancy.sees_everything()


def test_a_verb_of_one_store_is_none_of_anothers(ama: int, kofi_id: int) -> None:
    tenancy.use(ama)
    assert where(ama) == (ama, True, False)
    assert tenancy.current_store_id() == ama and not tenancy.is_platform()
    with pytest.raises(ForeignRow, match=f"store {kofi_id} in the work of store {ama}"):
        where(kofi_id)
    tenancy.clear()
    assert where(kofi_id) == (kofi_id, True, False)
