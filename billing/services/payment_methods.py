"""Adding and removing payment methods by token; a card number never comes here."""

import logging
from collections.abc import Mapping
from typing import Any

from billing.enums import TransactionType
from billing.errors import PaymentDeclined, PaymentMethodInUse, ProviderObjectMissing
from billing.models import AnyOrganization, Customer, PaymentMethod, Subscription
from billing.providers.base import CollectsInvoices, ManagesPaymentMethods
from billing.providers.types import PaymentMethodRequest
from billing.registry import providers
from billing.services import customers, invoices, operations, routing, sync
from geo.ip import Visitor

logger = logging.getLogger(__name__)


def add(
    organization: AnyOrganization,
    *,
    token: str,
    provider: str = "",
    billing_address: Mapping[str, str] | None = None,
    is_default: bool = False,
    user: Any = None,
    visitor: Visitor | None = None,
    request_key: str = "",
) -> PaymentMethod:
    """Attach the browser's `token`; `provider` blank is the router's choice for a subscription.

    As the default method it takes over running subscriptions, and their open invoices are collected
    with it. Raises PaymentDeclined, UnsupportedOperation, ProfileIncomplete.
    """
    alias = provider or route(
        organization, billing_address=billing_address, user=user, visitor=visitor
    )
    adapter = providers.get(alias, ManagesPaymentMethods)
    customer = customers.ensure(organization, alias)
    with operations.start("payment_method.add", customer, request_key) as operation:
        if operation.is_done:
            method = _recorded(customer, operation.remote_id)
        else:
            data = adapter.create_payment_method(
                customer.ref,
                PaymentMethodRequest(token=token, billing_address=dict(billing_address or {})),
                idempotency_key=operation.key,
            )
            method = sync.upsert_payment_method(alias, data)
            operation.remote_id = data.id
    _keep_local(method, user, billing_address)
    if is_default:
        set_default(method, request_key=request_key)
        collect_open_invoices(customer, request_key=request_key)
    return _recorded(customer, method.provider_payment_method_id)


def route(
    organization: AnyOrganization,
    *,
    billing_address: Mapping[str, str] | None = None,
    user: Any = None,
    visitor: Visitor | None = None,
) -> str:
    """The provider that a subscription of `organization` would be paid at."""
    inquiry = routing.Inquiry(
        transaction_type=TransactionType.SUBSCRIPTION,
        billing_address=billing_address or {},
        needs=(ManagesPaymentMethods,),
        is_purchase=False,
    )
    return routing.decide(organization, inquiry, user=user, visitor=visitor).provider


def set_default(method: PaymentMethod, *, request_key: str = "") -> PaymentMethod:
    """Make `method` the one that renewals are charged to."""
    adapter = providers.get(method.provider, ManagesPaymentMethods)
    with operations.start("payment_method.set_default", method, request_key) as operation:
        if not operation.is_done:
            data = adapter.set_default_payment_method(
                method.customer.ref, method.ref, idempotency_key=operation.key
            )
            sync.upsert_customer(method.provider, data)
            operation.remote_id = method.provider_payment_method_id
    return method


def collect_open_invoices(customer: Customer, *, request_key: str = "") -> None:
    """Try again what is owed, now that there is another method; a decline leaves it owed."""
    if not providers.supports(customer.provider, CollectsInvoices):
        return
    for invoice in invoices.open_of(customer):
        try:
            invoices.pay(invoice, request_key=request_key)
        except PaymentDeclined:
            logger.info("invoice.declined", extra={"invoice": str(invoice.pk)})


def remove(method: PaymentMethod, *, force: bool = False, request_key: str = "") -> None:
    """Detach `method` at its provider.

    Raises PaymentMethodInUse when it is the only one of a running subscription and `force` is off,
    ProviderObjectMissing when it is detached already and not by the same request.
    """
    adapter = providers.get(method.provider, ManagesPaymentMethods)

    def guard() -> None:
        if not method.is_active:
            raise ProviderObjectMissing("it is detached already")
        if not force and _is_last_of_running(method):
            raise PaymentMethodInUse("it is the only payment method of a running subscription")

    with operations.start("payment_method.remove", method, request_key, guard=guard) as operation:
        if not operation.is_done:
            data = adapter.delete_payment_method(method.ref, idempotency_key=operation.key)
            sync.upsert_payment_method(method.provider, data)
            operation.remote_id = data.id


def _is_last_of_running(method: PaymentMethod) -> bool:
    others = method.customer.payment_methods.filter(is_active=True).exclude(pk=method.pk)
    running = Subscription.objects.filter(customer=method.customer).live()
    return method.is_active and not others.exists() and running.exists()


def _recorded(customer: Customer, remote_id: str) -> PaymentMethod:
    return PaymentMethod.objects.select_related("customer").get(
        customer=customer, provider_payment_method_id=remote_id
    )


def _keep_local(
    method: PaymentMethod, user: Any, billing_address: Mapping[str, str] | None
) -> None:
    """Who added it, and the address where the provider did not keep one."""
    changes: dict[str, Any] = {}
    if method.user_id is None and user is not None:
        changes["user"] = user
    if billing_address and not method.billing_address:
        changes["billing_address"] = dict(billing_address)
    if changes:
        PaymentMethod.objects.filter(pk=method.pk).update(**changes)
