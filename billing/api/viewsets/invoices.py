"""Invoices of the caller's organization: read only, since the provider makes them."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.schema import describe
from billing.api.serializers.invoices import InvoiceSerializer
from billing.api.viewsets.base import OrganizationViewSet
from billing.enums import InvoiceStatus
from billing.models import Invoice
from billing.models.base import choices


class InvoiceFilter(filters.FilterSet):  # type: ignore[misc]
    status = filters.ChoiceFilter(choices=choices(InvoiceStatus))
    subscription = filters.UUIDFilter(field_name="subscription_id")

    class Meta:
        model = Invoice
        fields = ("status", "subscription")


class InvoiceViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet[Invoice]):
    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilter

    def rows(self) -> Any:
        return Invoice.objects.all()

    @describe("List invoices, newest first", response=InvoiceSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @describe("Read one invoice", response=InvoiceSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)
