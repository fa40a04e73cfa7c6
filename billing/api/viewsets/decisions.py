"""Asking the router before paying, and reading why it chose as it did."""

from typing import Any

from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from billing.api.idempotency import idempotent
from billing.api.schema import describe
from billing.api.serializers.decisions import DecisionCreateSerializer, DecisionSerializer
from billing.api.viewsets.base import OrganizationViewSet
from billing.enums import TransactionType
from billing.models import RoutingDecision
from billing.services import routing


class DecisionViewSet(RetrieveModelMixin, OrganizationViewSet[RoutingDecision]):
    serializer_class = DecisionSerializer

    def rows(self) -> Any:
        return RoutingDecision.objects.select_related("organization", "plan", "product")

    @describe(
        "Ask which provider would take a payment, and why",
        request=DecisionCreateSerializer,
        response=DecisionSerializer,
        status=HTTP_201_CREATED,
        is_write=True,
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = self.read(DecisionCreateSerializer)
        kind = TransactionType(asked.pop("transaction_type"))
        decision = routing.decide(
            self.tenant.organization,
            routing.Inquiry(transaction_type=kind, **asked),
            user=request.user,
            visitor=self.visitor,
        )
        return Response(DecisionSerializer(decision).data, status=HTTP_201_CREATED)

    @describe("Read a routing decision", response=DecisionSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)
