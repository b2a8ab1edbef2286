"""People read the names of products, not part numbers."""

from __future__ import annotations

import pytest

from tenantclosure.policy.product_names import PRODUCT_NAMES, product_name
from tenantclosure.policy.selling import FREE_PRODUCTS


@pytest.mark.parametrize(
    ("name", "sku", "shown"),
    [
        ("VISIOCLIENT", "VISIOCLIENT", "Visio Plan 2"),
        ("Microsoft_365_Copilot", "Microsoft_365_Copilot", "Microsoft 365 Copilot"),
        ("NEW_PRODUCT", "NEW_PRODUCT", "NEW_PRODUCT"),
        ("Our own name", "VISIOCLIENT", "Our own name"),
        ("Forgotten lab", None, "Forgotten lab"),
        ("x", 5, "x"),
    ],
)
def test_a_part_number_gets_its_name(name: str, sku: object, shown: str) -> None:
    """Only where the part number is all that is known; an unknown one and any other name stay as they are."""
    assert shown == product_name(name, sku)


def test_the_table_can_be_looked_up() -> None:
    """Keys are upper case, as they are looked up, and every product that people sign up for has a name."""
    assert set(PRODUCT_NAMES) == {key.upper() for key in PRODUCT_NAMES}
    assert FREE_PRODUCTS <= set(PRODUCT_NAMES)
