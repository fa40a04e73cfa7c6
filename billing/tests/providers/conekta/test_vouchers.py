"""Vouchers last until the end of a day in Mexico City, six hours behind UTC all year."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.enums import PaymentMethodType
from billing.errors import InvalidRequest
from billing.providers.conekta.vouchers import charged, ends_at, voucher
from billing.providers.types import Ref, VoucherRequest
from billing.testing import voucher_request

OXXO, SPEI = PaymentMethodType.OXXO, PaymentMethodType.SPEI
NOW = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
END = 1794031199  # 2026-11-07T05:59:59Z: the last second of the 6th in Mexico City


def wanted(**changes: Any) -> VoucherRequest:
    return replace(voucher_request(Ref(id="cus_1"), OXXO), **changes)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # 23:59 of the 2nd in Mexico City, which is the 3rd in UTC
        ("2026-11-03T05:59:00Z", "2026-11-06T05:59:59Z"),
        # a minute later both are the 3rd
        ("2026-11-03T06:00:00Z", "2026-11-07T05:59:59Z"),
        # across the end of a year, and of a leap year's February
        ("2026-12-31T12:00:00Z", "2027-01-04T05:59:59Z"),
        ("2028-02-27T12:00:00Z", "2028-03-02T05:59:59Z"),
    ],
)
def test_the_end_of_the_third_day(now: str, end: str) -> None:
    found = ends_at(datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(end)
    assert found.strftime("%H:%M:%S") == "23:59:59"


@pytest.mark.parametrize(("method", "word"), [(OXXO, "cash"), (SPEI, "spei")])
def test_what_is_sent(method: PaymentMethodType, word: str) -> None:
    sent = charged(wanted(method=method), now=NOW)
    assert sent == {"type": word, "expires_at": int(ends_at(NOW).timestamp())}
    own_end = charged(wanted(expires_at=NOW + timedelta(hours=1)), now=NOW)
    assert own_end["expires_at"] == int(NOW.timestamp()) + 3600


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"method": PaymentMethodType.CARD}, "method"),
        ({"currency": "USD"}, "currency"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_what_is_no_voucher(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        charged(wanted(**changes), now=NOW)
    assert refused.value.param == param


def cash(**changes: Any) -> dict[str, Any]:
    method = {
        "object": "cash_payment",
        "reference": "93000262276908",
        "barcode_url": "https://barcodes.conekta.com/1.png",
        "expires_at": END,
    }
    return {"payment_method": method | changes}


def test_what_is_shown_for_oxxo() -> None:
    assert voucher(cash(), 19990, "MXN") == {
        "method": "oxxo",
        "reference": "93000262276908",
        "barcode": "93000262276908",
        "barcode_url": "https://barcodes.conekta.com/1.png",
        "amount_minor": "19990",
        "currency": "MXN",
        "expires_at": "2026-11-07T05:59:59+00:00",
        "expires_on": "2026-11-06",
    }


def test_what_is_shown_for_spei() -> None:
    method = {"object": "bank_transfer_payment", "clabe": "646180111805034237", "bank": "STP"}
    assert voucher({"payment_method": method}, 1, "MXN") == {
        "method": "spei",
        "clabe": "646180111805034237",
        "bank": "STP",
        "amount_minor": "1",
        "currency": "MXN",
    }


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"expires_at": 0}, {"expires_at", "expires_on"}),  # specification: "no end"
        ({"expires_at": "soon"}, {"expires_at", "expires_on"}),
        ({"barcode_url": None}, {"barcode_url"}),
        ({"reference": 93000262276908}, set()),  # the examples write a number
        ({"reference": None}, {"reference", "barcode"}),
    ],
)
def test_an_odd_field_costs_itself_only(changes: dict[str, Any], left_out: set[str]) -> None:
    whole = voucher(cash(), 19990, "MXN")
    found = voucher(cash(**changes), 19990, "MXN")
    assert whole is not None
    assert found == {name: value for name, value in whole.items() if name not in left_out}


@pytest.mark.parametrize("method", [{"object": "card_payment"}, {"object": "new"}, {}, None, "x"])
def test_every_other_charge_has_none(method: object) -> None:
    assert voucher({"payment_method": method}, 1, "MXN") is None
