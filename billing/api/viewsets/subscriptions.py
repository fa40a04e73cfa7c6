"""Subscriptions of the caller's organization."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from billing.api.idempotency import idempotent, request_key
from billing.api.schema import describe
from billing.api.serializers.subscriptions import (
    StateChangeSerializer,
    SubscriptionChangeSerializer,
    SubscriptionCreateSerializer,
    SubscriptionSerializer,
)
from billing.api.throttling import count_card
from billing.api.viewsets.base import OrganizationViewSet
from billing.enums import ChangeOutcome, SubscriptionStatus
from billing.models import StateChange, Subscription
from billing.models.base import choices
from billing.services import subscriptions


class SubscriptionFilter(filters.FilterSet):  # type: ignore[misc]
    status = filters.ChoiceFilter(choices=choices(SubscriptionStatus))
    provider = filters.CharFilter(max_length=40)

    class Meta:
        model = Subscription
        fields = ("status", "provider")


class SubscriptionViewSet(ListModelMixin, RetrieveModelMixin, OrganizationViewSet[Subscription]):
    serializer_class = SubscriptionSerializer
    filterset_class = SubscriptionFilter

    def rows(self) -> Any:
        return Subscription.objects.with_details()

    @describe("List subscriptions, newest first", response=SubscriptionSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @describe("Read one subscription", response=SubscriptionSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @describe(
        "Subscribe to a plan",
        request=SubscriptionCreateSerializer,
        response=SubscriptionSerializer,
        status=HTTP_201_CREATED,
        is_write=True,
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = self.read(SubscriptionCreateSerializer)
        if "payment_method_token" in asked:
            count_card(self.tenant.organization)
        subscription = subscriptions.create(
            self.tenant.organization,
            plan=asked["plan"],
            interval=asked["interval"],
            quantity=asked["quantity"],
            currency=asked.get("currency", ""),
            payment_method=asked.get("payment_method"),
            token=asked.get("payment_method_token", ""),
            billing_address=asked.get("billing_address"),
            decision=asked.get("decision"),
            user=request.user,
            visitor=self.visitor,
            request_key=request_key(request),
        )
        return Response(SubscriptionSerializer(subscription).data, status=HTTP_201_CREATED)

    @describe(
        "Change a subscription",
        request=SubscriptionChangeSerializer,
        response=SubscriptionSerializer,
        is_write=True,
    )
    @idempotent
    def partial_update(self, request: Request, id: str) -> Response:
        subscription = self.get_object()
        asked = self.read(SubscriptionChangeSerializer)
        if asked:
            subscription = subscriptions.change(
                subscription, **asked, request_key=request_key(request)
            )
        return Response(SubscriptionSerializer(subscription).data)

    @describe(
        "Cancel a subscription",
        response=SubscriptionSerializer,
        parameters=[
            OpenApiParameter(
                "at_period_end",
                OpenApiTypes.BOOL,
                description="false ends it now; true, the default, when the paid period is over",
            )
        ],
        is_write=True,
    )
    @idempotent
    def destroy(self, request: Request, id: str) -> Response:
        at_period_end = self.flag("at_period_end", default=True)
        subscription = subscriptions.cancel(
            self.get_object(), at_period_end=at_period_end, request_key=request_key(request)
        )
        return Response(SubscriptionSerializer(subscription).data)

    @describe(
        "Read what happened to a subscription, oldest first",
        response=StateChangeSerializer(many=True),
    )
    @action(
        detail=True,
        serializer_class=StateChangeSerializer,
        filterset_class=None,
        ordering=("created_at", "id"),
    )
    def timeline(self, request: Request, id: str) -> Response:
        changes: Any = StateChange.objects.for_organization(self.tenant.organization).filter(
            object_type="subscription",
            object_id=self.get_object().pk,
            outcome=ChangeOutcome.APPLIED,
        )
        page = self.paginate_queryset(changes)
        return self.get_paginated_response(StateChangeSerializer(page, many=True).data)
