"""Paths of the API, for /api/v1/billing/. Each answers with and without a final slash."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from billing.api.exceptions import unknown_path
from billing.api.viewsets.config import ConfigViewSet
from billing.api.viewsets.decisions import DecisionViewSet
from billing.api.viewsets.invoices import InvoiceViewSet
from billing.api.viewsets.payment_methods import PaymentMethodViewSet
from billing.api.viewsets.payments import PaymentViewSet
from billing.api.viewsets.plans import PlanViewSet
from billing.api.viewsets.setup_sessions import SetupSessionViewSet
from billing.api.viewsets.subscriptions import SubscriptionViewSet


class OptionalSlashRouter(SimpleRouter):
    """A redirect to the path with a slash would lose the body of a POST."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


router = OptionalSlashRouter()
router.register("plans", PlanViewSet, basename="billing-plan")
router.register("decisions", DecisionViewSet, basename="billing-decision")
router.register("subscriptions", SubscriptionViewSet, basename="billing-subscription")
router.register("payment-methods", PaymentMethodViewSet, basename="billing-payment-method")
router.register("setup-sessions", SetupSessionViewSet, basename="billing-setup-session")
router.register("invoices", InvoiceViewSet, basename="billing-invoice")
router.register("payments", PaymentViewSet, basename="billing-payment")

# Last, so that an unknown path under the prefix is a problem document in development as well.
urlpatterns = [
    re_path("^config/?$", ConfigViewSet.as_view({"get": "retrieve"}), name="billing-config"),
    *router.urls,
    re_path("", unknown_path),
]
