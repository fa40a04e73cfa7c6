"""Payment methods of the caller's organization."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from billing.api.idempotency import idempotent, request_key
from billing.api.schema import describe
from billing.api.serializers.payment_methods import (
    PaymentMethodCreateSerializer,
    PaymentMethodSerializer,
)
from billing.api.throttling import count_card
from billing.api.viewsets.base import OrganizationViewSet
from billing.models import PaymentMethod
from billing.services import payment_methods


class PaymentMethodViewSet(ListModelMixin, OrganizationViewSet[PaymentMethod]):
    serializer_class = PaymentMethodSerializer

    def rows(self) -> Any:
        """Attached ones; a repeated detaching must find what it detached the first time."""
        found = PaymentMethod.objects.select_related("customer")
        return found if self.action == "destroy" else found.attached()

    @describe("List payment methods, newest first", response=PaymentMethodSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @describe(
        "Add a payment method by its token",
        request=PaymentMethodCreateSerializer,
        response=PaymentMethodSerializer,
        status=HTTP_201_CREATED,
        is_write=True,
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = self.read(PaymentMethodCreateSerializer)
        count_card(self.tenant.organization)
        method = payment_methods.add(
            self.tenant.organization,
            token=asked["token"],
            provider=asked.get("provider", ""),
            billing_address=asked.get("billing_address"),
            is_default=asked["is_default"],
            user=request.user,
            visitor=self.visitor,
            request_key=request_key(request),
        )
        return Response(PaymentMethodSerializer(method).data, status=HTTP_201_CREATED)

    @describe(
        "Detach a payment method",
        response=None,
        status=HTTP_204_NO_CONTENT,
        parameters=[
            OpenApiParameter(
                "force",
                OpenApiTypes.BOOL,
                description="true detaches it even when a subscription is paid with it",
            )
        ],
        is_write=True,
    )
    @idempotent
    def destroy(self, request: Request, id: str) -> Response:
        force = self.flag("force", default=False)
        payment_methods.remove(self.get_object(), force=force, request_key=request_key(request))
        return Response(status=HTTP_204_NO_CONTENT)
