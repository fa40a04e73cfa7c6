import pytest

from billing.errors import InvalidRequest
from billing.providers.conekta.installments import checked, offered


@pytest.mark.parametrize(
    ("amount", "months"),
    [
        (299_99, ()),
        (300_00, (3,)),
        (799_99, (3, 6)),
        (800_00, (3, 6, 9)),
        (1200_00, (3, 6, 9, 12)),
        (1800_00, (3, 6, 9, 12, 18)),
    ],
)
def test_what_an_amount_can_be_split_into(amount: int, months: tuple[int, ...]) -> None:
    assert offered(amount, "MXN") == months
    assert offered(amount, "USD") == ()


def test_the_whole_at_once_names_no_months() -> None:
    assert checked(1, 1, "USD") is None
    assert checked(6, 600_00, "MXN") == 6


@pytest.mark.parametrize(("months", "amount"), [(6, 599_99), (5, 9000_00), (0, 9000_00)])
def test_what_cannot_be_split(months: int, amount: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(months, amount, "MXN")
    assert refused.value.param == "installments"
