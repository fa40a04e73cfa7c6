"""What the sandbox signs, by the package of the Standard Webhooks, and what it refuses."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine
from standardwebhooks import Webhook

from billing.errors import InvalidSignature
from billing.providers.sandbox.signatures import Secrets, sign, verify

OLD = "whsec_b2xkLXNlY3JldA=="
NEW = "whsec_bmV3LXNlY3JldA=="
BODY = '{"name": "José"}'.encode()
NOW = datetime(2027, 1, 15, 8, 0, 0, 900_000, tzinfo=UTC)
REFUSED = "no configured secret signed this delivery"


class TestSign:
    def test_the_headers_are_the_standard_s(self) -> None:
        headers = sign(NEW, "evt_1", BODY, NOW)
        assert headers == {
            "webhook-id": "evt_1",
            "webhook-timestamp": "1800000000",
            "webhook-signature": Webhook(NEW).sign("evt_1", NOW, BODY.decode()),
        }

    def test_a_moment_of_another_zone_is_the_same_moment(self) -> None:
        elsewhere = NOW.astimezone(timezone(timedelta(hours=-6)))
        assert sign(NEW, "evt_1", BODY, elsewhere) == sign(NEW, "evt_1", BODY, NOW)

    def test_without_a_moment_it_is_now(self) -> None:
        with time_machine.travel(NOW, tick=False):
            assert sign(NEW, "evt_1", BODY) == sign(NEW, "evt_1", BODY, NOW)

    def test_of_several_secrets_the_first_that_is_not_blank_signs(self) -> None:
        assert sign(["", NEW, OLD], "evt_1", BODY, NOW) == sign(NEW, "evt_1", BODY, NOW)

    @pytest.mark.parametrize("secret", [None, "", [], [""]])
    def test_without_a_secret_nothing_is_signed(self, secret: Secrets) -> None:
        with pytest.raises(ValueError, match="^a webhook secret is needed to sign$"):
            sign(secret, "evt_1", BODY, NOW)


def check(secret: Secrets, *, signed_by: Secrets = NEW, age: int = 0, body: bytes = BODY) -> None:
    now = NOW.replace(microsecond=0)
    headers = sign(signed_by, "evt_1", BODY, now - timedelta(seconds=age))
    with time_machine.travel(now, tick=False):
        verify(secret, body, headers)


class TestVerify:
    @pytest.mark.parametrize("secret", [NEW, [NEW], [NEW, OLD], [OLD, NEW], (OLD, "", NEW)])
    def test_any_of_the_secrets_is_right(self, secret: Secrets) -> None:
        check(secret)

    @pytest.mark.parametrize("secret", [None, "", [], [""], OLD, [OLD], "whsec_", "whsec_é"])
    def test_no_other_is(self, secret: Secrets) -> None:
        with pytest.raises(InvalidSignature, match=f"^{REFUSED}$"):
            check(secret)

    @pytest.mark.parametrize("age", [300, -300])
    def test_five_minutes_either_way_pass(self, age: int) -> None:
        check(NEW, age=age)

    @pytest.mark.parametrize("age", [301, -301])
    def test_outside_the_window_is_refused(self, age: int) -> None:
        with pytest.raises(InvalidSignature, match=REFUSED):
            check(NEW, age=age)

    @pytest.mark.parametrize("body", [b"", b"not json", BODY + b" ", b"\xff"])
    def test_another_body_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidSignature, match=REFUSED):
            check(NEW, body=body)

    def test_a_body_need_not_be_json(self) -> None:
        headers = sign(NEW, "evt_1", b"not json")
        verify(NEW, b"not json", headers)

    @pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_a_missing_header_is_refused(self, missing: str) -> None:
        headers = sign(NEW, "evt_1", BODY)
        del headers[missing]
        with pytest.raises(InvalidSignature, match=REFUSED):
            verify(NEW, BODY, headers)
