"""Payments of the caller's organization, to be asked for until they are settled."""

from typing import Any

from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.schema import describe
from billing.api.serializers.payments import PaymentSerializer
from billing.api.viewsets.base import OrganizationViewSet
from billing.models import Payment


class PaymentViewSet(RetrieveModelMixin, OrganizationViewSet[Payment]):
    serializer_class = PaymentSerializer

    def rows(self) -> Any:
        return Payment.objects.defer("provider_data")

    @describe("Read one payment", response=PaymentSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)
