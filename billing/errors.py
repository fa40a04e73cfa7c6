"""Everything that can go wrong in billing, as one tree of typed errors. No Django here.

`code` is stable and goes to clients; `message` is for logs and support and may name internals.
"""

from collections.abc import Sequence


class BillingError(Exception):
    code = "billing_error"
    http_status = 500
    retryable = False

    def __init__(self, message: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(message or self.code)
        self.message = message or self.code
        self.retry_after = retry_after


class UnknownProvider(BillingError):
    """No provider is configured under this alias."""

    code = "unknown_provider"
    http_status = 404


class UnsupportedOperation(BillingError):
    """The provider cannot do this; nothing was sent."""

    code = "capability_missing"
    http_status = 409


class NoRoute(BillingError):
    """No routing rule leads to a provider that can take this; `answers` are those of the rules."""

    code = "no_route"
    http_status = 422

    def __init__(self, message: str = "", *, answers: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.answers = answers


class InvalidRules(BillingError):
    """Routing rules that could not decide; `problems` names what is wrong with them."""

    code = "invalid_rules"
    http_status = 422

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


class DraftChanged(BillingError):
    """Somebody else has changed the draft since it was read; nothing was written."""

    code = "draft_changed"
    http_status = 409


class DecisionOutdated(BillingError):
    """The routing decision is about another purchase, too old, or its provider cannot be used."""

    code = "decision_outdated"
    http_status = 409


class InvalidTransition(BillingError):
    """The object's state does not allow this command."""

    code = "invalid_transition"
    http_status = 409


class AlreadySubscribed(InvalidTransition):
    """The organization has a live subscription in this slot."""

    code = "already_subscribed"


class RefundExceedsPayment(BillingError):
    """More is to be sent back than is left of the payment, or nothing at all."""

    code = "refund_exceeds_payment"
    http_status = 422


class VoucherNotOffered(BillingError):
    """The provider has no voucher of this kind for the currency."""

    code = "voucher_not_offered"
    http_status = 422


class VoucherMissing(BillingError):
    """No voucher was ever issued for the invoice."""

    code = "voucher_missing"
    http_status = 404


class PaymentMethodInUse(BillingError):
    code = "payment_method_in_use"
    http_status = 409


class PaymentMethodElsewhere(BillingError):
    """The payment method is attached at another provider than the one that takes this payment."""

    code = "payment_method_elsewhere"
    http_status = 409


class PlanNotAvailable(BillingError):
    """The plan has no published price for this interval, currency and provider."""

    code = "plan_not_sellable"
    http_status = 409


class ProfileIncomplete(BillingError):
    """The billing profile lacks something that the provider requires."""

    code = "profile_incomplete"
    http_status = 422

    def __init__(self, message: str, *, missing: list[str]) -> None:
        super().__init__(message)
        self.missing = missing


class RequestInProgress(BillingError):
    """The same change is being made right now, or its outcome is not known yet."""

    code = "request_in_progress"
    http_status = 409
    retryable = True


class IdempotencyConflict(BillingError):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_conflict"
    http_status = 409


class CardNumberRefused(BillingError):
    """The request holds something that looks like a card number; it is never repeated."""

    code = "card_number_refused"
    http_status = 400


class ProviderError(BillingError):
    """A provider answered with an error, or not at all."""

    code = "provider_error"
    http_status = 502

    def __init__(
        self,
        message: str = "",
        *,
        provider: str = "",
        provider_code: str = "",
        request_id: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.provider = provider
        self.provider_code = provider_code
        self.request_id = request_id


class ProviderUnavailable(ProviderError):
    """The provider could not be reached, or its circuit is open; nothing was done there."""

    code = "provider_unavailable"
    http_status = 503
    retryable = True


class RateLimited(ProviderError):
    code = "rate_limited"
    http_status = 503
    retryable = True


class CredentialsRejected(ProviderError):
    """Our key is wrong or lacks a permission: staff must act."""

    code = "credentials_rejected"


class OutcomeUnknown(ProviderError):
    """The request was sent and its answer lost: repeat it with the same Idempotency-Key."""

    code = "outcome_unknown"
    http_status = 503
    retryable = True


class InvalidRequest(ProviderError):
    """The provider refused the request as wrong; `param` names the field when known."""

    code = "invalid_request"
    http_status = 422

    def __init__(self, message: str = "", *, param: str = "", **context: str) -> None:
        super().__init__(message, **context)  # type: ignore[arg-type]
        self.param = param


class ProviderObjectMissing(ProviderError):
    code = "provider_object_missing"
    http_status = 404


class ProviderKeyConflict(ProviderError):
    """Our idempotency key was used at the provider for another request."""

    code = "provider_key_conflict"
    http_status = 409


class PaymentDeclined(ProviderError):
    """The bank or provider refused the payment; `decline_code` is one of our own stable codes."""

    code = "card_declined"
    http_status = 402

    def __init__(self, message: str = "", *, decline_code: str = "card_declined", **context: str):
        super().__init__(message, **context)  # type: ignore[arg-type]
        self.decline_code = decline_code


class WebhookError(BillingError):
    """A delivery that is refused: no row is made."""

    code = "webhook_refused"
    http_status = 400


class InvalidSignature(WebhookError):
    code = "invalid_signature"


class InvalidPayload(WebhookError):
    code = "invalid_payload"


class PayloadPruned(BillingError):
    """The event's body was emptied for its age: there is nothing left to apply again."""

    code = "payload_pruned"


class LeaseLost(BillingError):
    """Another worker took these rows over; what this one did is rolled back."""

    code = "lease_lost"
    retryable = True
