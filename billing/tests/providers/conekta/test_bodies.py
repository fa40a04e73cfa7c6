from typing import Any

import pytest

from billing.providers.conekta.bodies import body

CASH = {"type": "cash", "expires_at": 1793611800}
OWNER = {"name": "Ana", "email": "ana@x.mx", "phone": "+525512345678"}


def order(**values: Any) -> dict[str, Any]:
    line = {"name": "Pro", "quantity": 1, "unit_price": 54900}
    return {"currency": "MXN", "customer_info": OWNER, "line_items": [line], **values}


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("customer", {**OWNER, "metadata": {"a": "b"}, "custom_reference": "ours"}),
        ("update_customer", {"custom_reference": "ours"}),
        ("create_customer_payment_methods_request", {"type": "card", "token_id": "tok_1"}),
        ("create_customer_payment_methods_request", {"type": "spei_recurrent"}),
        ("subscription_request", {"plan_id": "gold-plan", "card_id": "src_1"}),
        ("order_request", order()),
        ("order_request", order(customer_info={"customer_id": "cus_1"})),
        ("order_request", order(charges=[{"payment_method": CASH}, {"payment_method": CASH}])),
    ],
)
def test_what_is_sent_is_what_was_given(parameter: str, values: dict[str, Any]) -> None:
    assert body(parameter, values).to_dict() == values


def test_what_is_none_is_left_out() -> None:
    assert body("update_plan", {"name": "Pro", "amount": None}).to_dict() == {"name": "Pro"}


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("plan_request", {"id": "x", "colour": "red"}),
        ("create_customer_payment_methods_request", {"type": "card", "colour": "red"}),
        ("order_request", order(customer_info={**OWNER, "colour": "red"})),
        ("order_request", order(line_items=[{"colour": "red"}])),
    ],
)
def test_what_the_sdk_would_drop_is_an_error_of_ours(
    parameter: str, values: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="colour"):
        body(parameter, values)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("customer", {"name": "Ana"}),
        ("create_customer_payment_methods_request", {"type": 5, "token_id": "tok_1"}),
        ("order_request", order(line_items=[{"name": "Pro"}])),
        ("order_request", order(currency=5)),
    ],
)
def test_what_conekta_would_refuse_is_refused(parameter: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        body(parameter, values)
