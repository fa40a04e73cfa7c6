"""What the single-page app reads first. Anybody may."""

from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing import explanations
from billing.api.schema import describe
from billing.api.serializers.config import ConfigSerializer, provider_of
from billing.api.viewsets.base import BillingViewSet
from billing.conf import conf
from billing.enums import TransactionType
from billing.errors import BillingError
from billing.registry import providers
from billing.services import evidence, routing
from billing.services.evidence import Evidence


class ConfigViewSet(BillingViewSet[Any]):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @describe("Read what the browser needs", response=ConfigSerializer, is_public=True)
    def retrieve(self, request: Request) -> Response:
        known = evidence.gather(None, visitor=self.visitor)
        config = {
            "default_currency": conf.default_currency,
            "providers": [provider_of(alias) for alias in providers.aliases()],
            "visitor": _visitor(known),
        }
        # It depends on the visitor's address: no cache may hand it to another.
        headers = {"Cache-Control": "private, no-cache"}
        return Response(ConfigSerializer(config).data, headers=headers)


def _visitor(known: list[Evidence]) -> dict[str, Any]:
    country = known[0].country if known else ""
    inquiry = routing.Inquiry(transaction_type=TransactionType.SUBSCRIPTION)
    try:
        decision = routing.consider(inquiry, known)
    except BillingError:
        return {
            "country": country,
            "currency": conf.default_currency,
            "provider": "",
            "methods": [],
            "explanation": [],
        }
    return {
        "country": country,
        "currency": decision.currency,
        "provider": decision.provider,
        "methods": decision.methods,
        "explanation": explanations.explain(decision),
    }
