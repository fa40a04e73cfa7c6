"""Setup sessions of the caller's organization: opened, then asked for until they are done."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from billing.api.idempotency import idempotent, request_key
from billing.api.permissions import MayWrite
from billing.api.schema import describe
from billing.api.serializers.setup_sessions import (
    SetupSessionCreateSerializer,
    SetupSessionSerializer,
)
from billing.api.throttling import count_card
from billing.api.viewsets.base import OrganizationViewSet
from billing.models import SetupSession
from billing.services import setup_sessions


class SetupSessionViewSet(OrganizationViewSet[SetupSession]):
    """For those who may write: with the client secret a payment method is added."""

    permission_classes = (MayWrite,)
    serializer_class = SetupSessionSerializer

    def rows(self) -> Any:
        return SetupSession.objects.select_related("customer")

    @describe(
        "Let the customer add a payment method in the browser",
        request=SetupSessionCreateSerializer,
        response=SetupSessionSerializer,
        status=HTTP_201_CREATED,
        is_write=True,
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = self.read(SetupSessionCreateSerializer)
        count_card(self.tenant.organization)
        state = setup_sessions.open_session(
            self.tenant.organization,
            methods=asked["methods"],
            provider=asked.get("provider", ""),
            user=request.user,
            visitor=self.visitor,
            request_key=request_key(request),
        )
        return Response(SetupSessionSerializer(state).data, status=HTTP_201_CREATED)

    @describe("Ask how a setup session stands", response=SetupSessionSerializer, asks_provider=True)
    def retrieve(self, request: Request, id: str) -> Response:
        return Response(SetupSessionSerializer(setup_sessions.read(self.get_object())).data)
