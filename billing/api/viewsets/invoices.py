"""Invoices of the caller's organization: the provider makes them, the customer pays them."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_204_NO_CONTENT

from billing.api.idempotency import idempotent, request_key
from billing.api.schema import describe
from billing.api.serializers.invoices import InvoiceSerializer
from billing.api.serializers.payments import (
    InvoicePaySerializer,
    PaymentSerializer,
    VoucherReissueSerializer,
    VoucherSerializer,
)
from billing.api.throttling import count_card
from billing.api.viewsets.base import OrganizationViewSet
from billing.enums import InvoiceStatus
from billing.models import Invoice
from billing.models.base import choices
from billing.services import invoices, vouchers


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
        return Invoice.objects.select_related("customer", "organization")

    @describe("List invoices, newest first", response=InvoiceSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @describe("Read one invoice", response=InvoiceSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @describe(
        "Pay an open invoice by a kept method, or by a voucher; 204 where nothing was to be paid",
        request=InvoicePaySerializer,
        response=PaymentSerializer,
        is_write=True,
        may_be_empty=True,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def pay(self, request: Request, id: str) -> Response:
        invoice = self.get_object()
        asked = self.read(InvoicePaySerializer)
        if "voucher" in asked:
            return Response(PaymentSerializer(vouchers.issue(invoice, asked["voucher"])).data)
        count_card(self.tenant.organization)
        method = asked.get("payment_method")
        paid = invoices.pay(invoice, payment_method=method, request_key=request_key(request))
        payment = invoices.payment_of(paid)
        if payment is None:
            return Response(status=HTTP_204_NO_CONTENT)
        return Response(PaymentSerializer(payment).data)

    @describe("Read the voucher that was issued last", response=VoucherSerializer)
    @action(detail=True, methods=["get"])
    def voucher(self, request: Request, id: str) -> Response:
        return Response(VoucherSerializer(vouchers.newest(self.get_object())).data)

    @describe(
        "Issue another voucher once the last one has run out",
        request=VoucherReissueSerializer,
        response=PaymentSerializer,
        is_write=True,
    )
    @action(detail=True, methods=["post"], url_path="voucher/reissue")
    @idempotent
    def reissue(self, request: Request, id: str) -> Response:
        invoice = self.get_object()
        asked = self.read(VoucherReissueSerializer)
        payment = vouchers.reissue(invoice, asked.get("voucher"))
        return Response(PaymentSerializer(payment).data)
