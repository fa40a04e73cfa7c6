"""Signatures and bodies that a stranger could send."""

import contextlib
import functools
import json
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import EventKind, SubscriptionStatus
from billing.errors import InvalidPayload, InvalidSignature
from billing.providers.sandbox import SandboxProvider, events, mapping, payloads, signatures
from billing.providers.types import Ref
from billing.testing import SECRET, key, refund_request, signed_webhook
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "type": "subscription.updated",
        "created": 1_800_000_000,
        "api_version": "sandbox-1",
        "mode": "sandbox",
        "data": {"object": {"id": "sub_1", "customer": "cus_1"}},
        **changes,
    }


def parse(**changes: Any) -> Any:
    return payloads.parse(json.dumps(event(**changes)).encode())


class TestParse:
    def test_ids_and_time(self) -> None:
        found = parse()
        assert (found.kind, found.object_id) == (EventKind.SUBSCRIPTION, "sub_1")
        assert (found.customer_id, found.parent_id) == ("cus_1", "cus_1")
        assert found.occurred_at == datetime.fromtimestamp(1_800_000_000, tz=UTC)
        assert found.is_pinned

    @pytest.mark.parametrize(
        ("event_type", "target", "parent"),
        [
            ("customer.updated", {"id": "cus_1"}, ""),
            ("payment_method.attached", {"id": "pm_1", "customer": "cus_1"}, "cus_1"),
            ("payment_method.detached", {"id": "pm", "previous_customer": "cus_1"}, "cus_1"),
            ("invoice.paid", {"id": "i", "customer": "cus_1", "subscription": "sub_1"}, "sub_1"),
            ("invoice.paid", {"id": "i", "customer": "cus_1", "subscription": None}, "cus_1"),
            ("payment.failed", {"id": "p", "customer": "cus_1", "invoice": "inv_1"}, "inv_1"),
            ("payment.failed", {"id": "p", "customer": "cus_1"}, "cus_1"),
        ],
    )
    def test_parents(self, event_type: str, target: dict[str, object], parent: str) -> None:
        found = parse(type=event_type, data={"object": target})
        assert (found.parent_id, found.customer_id) == (parent, "cus_1")

    @pytest.mark.parametrize("event_type", [*events.IGNORED, "something.new"])
    def test_other_types_are_ignored_with_a_reason(self, event_type: str) -> None:
        found = parse(type=event_type, data=None)
        assert found.kind is None
        assert found.ignored_because

    def test_another_version_is_not_read_from_the_payload(self, driver: Driver) -> None:
        found = parse(api_version="sandbox-2")
        assert not found.is_pinned
        assert driver.provider.map_webhook_object(found.kind, event(), found) is None

    def test_another_mode_is_kept(self) -> None:
        assert parse(mode="live").mode == "live"

    @pytest.mark.parametrize("name", ["id", "type", "created", "mode", "api_version"])
    @pytest.mark.parametrize("value", [None, "", "x" * 256, [], {}, True, 1.5, "\0", "\ud800"])
    def test_a_wrong_field_is_refused(self, name: str, value: object) -> None:
        with pytest.raises(InvalidPayload):
            parse(**{name: value})
        body = event()
        del body[name]
        with pytest.raises(InvalidPayload):
            payloads.parse(json.dumps(body).encode())

    @pytest.mark.parametrize("created", [0, -1, 10**12, 10**400])
    def test_a_time_out_of_range_is_refused(self, created: int) -> None:
        with pytest.raises(InvalidPayload):
            parse(created=created)

    @pytest.mark.parametrize(
        "data", [None, [], {}, {"object": None}, {"object": []}, {"object": {"id": 1}}]
    )
    def test_a_known_type_needs_its_object(self, data: object) -> None:
        with pytest.raises(InvalidPayload):
            parse(data=data)

    @pytest.mark.parametrize("customer", [1, [], "", "\0"])
    def test_a_wrong_parent_is_refused(self, customer: object) -> None:
        with pytest.raises(InvalidPayload):
            parse(data={"object": {"id": "sub_1", "customer": customer}})

    def test_a_body_may_be_nested_a_hundred_deep(self) -> None:
        nested: Any = 1
        for _ in range(98):
            nested = [nested]
        assert parse(more=nested)
        with pytest.raises(InvalidPayload):
            parse(more=[[[nested]]])

    @given(JSON_VALUES, st.sampled_from(list(event())))
    def test_nothing_else_is_raised(self, value: object, name: str) -> None:
        with contextlib.suppress(InvalidPayload):
            parse(**{name: value})

    @given(st.binary())
    def test_nor_by_any_bytes(self, body: bytes) -> None:
        with pytest.raises(InvalidPayload):
            payloads.parse(body)


class TestMap:
    @given(value=JSON_VALUES, data=st.data())
    def test_a_broken_object_is_none_or_mapped(self, value: object, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(list(EventKind)))
        whole = whole_objects()[kind]
        name = data.draw(st.sampled_from(sorted(whole)))
        found = mapped(kind, {**whole, name: value})
        assert found is None or found.raw[name] == value

    @pytest.mark.parametrize("kind", list(EventKind))
    def test_a_part_of_an_object_is_none(self, kind: EventKind) -> None:
        assert mapped(kind, {"id": "x"}) is None

    def test_an_unknown_status_keeps_the_raw_word(self) -> None:
        whole = whole_objects()[EventKind.SUBSCRIPTION]
        found = mapped(EventKind.SUBSCRIPTION, {**whole, "status": "napping"})
        assert (found.status, found.provider_status) == (None, "napping")
        assert mapped(EventKind.SUBSCRIPTION, whole).status is SubscriptionStatus.ACTIVE


class TestSignatures:
    BODY = b'{"id": "evt_1"}'

    def test_a_genuine_one_passes(self) -> None:
        signatures.verify(SECRET, self.BODY, signatures.sign(SECRET, "evt_1", self.BODY))
        signatures.verify(SECRET, *signed_webhook(self.BODY))

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_an_old_or_future_stamp_is_refused(self, minutes: int) -> None:
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        with pytest.raises(InvalidSignature):
            signatures.verify(SECRET, *signed_webhook(self.BODY, at=at))

    @pytest.mark.parametrize("secret", ["", None, [], [""], "whsec_", "whsec_é", "not base64 !"])
    def test_a_useless_secret_refuses_everything(self, secret: Any) -> None:
        with pytest.raises(InvalidSignature):
            signatures.verify(secret, *signed_webhook(self.BODY))

    def test_an_empty_secret_signs_nothing(self, make_sandbox: MakeSandbox) -> None:
        forged = {
            "webhook-id": "evt_1",
            "webhook-timestamp": str(int(datetime.now(UTC).timestamp())),
            "webhook-signature": "v1,",
        }
        with pytest.raises(InvalidSignature):
            make_sandbox(secret="").verify_webhook_signature(self.BODY, forged)

    @given(st.text(), st.text(), st.text())
    def test_any_headers_end_in_invalid_signature(self, first: str, at: str, value: str) -> None:
        headers = {
            "webhook-id": first,
            "webhook-timestamp": at,
            "webhook-signature": value,
        }
        with pytest.raises(InvalidSignature):
            signatures.verify(SECRET, self.BODY, headers)


def mapped(kind: EventKind, target: dict[str, Any]) -> Any:
    return mapping.event_object(
        kind, {"data": {"object": target}}, datetime(2027, 1, 1, tzinfo=UTC)
    )


@functools.cache
def whole_objects() -> dict[EventKind, dict[str, Any]]:
    """One whole object of each kind, as the sandbox itself makes them."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"path": f"{folder}/s.sqlite3", "secret": SECRET, "seed": 1}
        provider = SandboxProvider(alias="sandbox", mode="sandbox", options=options)
        driver = Driver(provider)
        payment = Ref(id=driver.invoice(driver.start()).payment_id)
        request = refund_request(provider, payment, amount_minor=1)
        provider.create_refund(request, idempotency_key=key())
        provider.open_dispute(payment)
        found = {}
        for headers, body in provider.pending_deliveries():
            kind = provider.parse_webhook_event(body, headers).kind
            if kind is not None:
                found[kind] = json.loads(body)["data"]["object"]
        return found
