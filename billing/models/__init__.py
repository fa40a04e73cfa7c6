"""All models of billing; import them from here."""

from billing.models.accounts import BillingAccount
from billing.models.api_keys import IdempotencyKey
from billing.models.base import BaseModel, ProviderOwned
from billing.models.customers import Customer
from billing.models.history import StateChange
from billing.models.invoices import Invoice
from billing.models.operations import Operation
from billing.models.organizations import AnyOrganization, Membership, Organization
from billing.models.outbox import OutboxMessage
from billing.models.payment_methods import PaymentMethod
from billing.models.payments import Payment
from billing.models.plans import Price, ProviderPrice, SubscriptionPlan
from billing.models.products import Product, ProductPrice, ProviderProductPrice
from billing.models.refunds import Dispute, Refund
from billing.models.routing import RoutingDecision, RuleSet
from billing.models.setup_sessions import SetupSession
from billing.models.subscriptions import Subscription
from billing.models.sync_runs import SyncPage, SyncRun
from billing.models.webhooks import WebhookEvent

__all__ = [
    "AnyOrganization",
    "BaseModel",
    "BillingAccount",
    "Customer",
    "Dispute",
    "IdempotencyKey",
    "Invoice",
    "Membership",
    "Operation",
    "Organization",
    "OutboxMessage",
    "Payment",
    "PaymentMethod",
    "Price",
    "Product",
    "ProductPrice",
    "ProviderOwned",
    "ProviderPrice",
    "ProviderProductPrice",
    "Refund",
    "RoutingDecision",
    "RuleSet",
    "SetupSession",
    "StateChange",
    "Subscription",
    "SubscriptionPlan",
    "SyncPage",
    "SyncRun",
    "WebhookEvent",
]
