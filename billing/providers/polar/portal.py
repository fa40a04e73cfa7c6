"""Polar's customer portal: where a customer pays what is open, and changes cards and plan."""

from datetime import datetime

from billing.providers.base import HostsPortal
from billing.providers.polar.backend import PolarBackend
from billing.providers.types import JSON, PortalSessionData, Ref
from billing.providers.values import incomplete, iso_moment, remote_id, required_id, text


class Portal(PolarBackend, HostsPortal):
    def create_portal_session(
        self, customer: Ref, *, return_url: str, idempotency_key: str
    ) -> PortalSessionData:
        """Each call makes another session; they end by themselves."""
        body = {"customer_id": customer.id, "return_url": return_url or None}
        answer = self._client.post("customer-sessions", "", body=body)
        return portal_data(answer.body, as_of=answer.as_of)


def portal_data(source: JSON, *, as_of: datetime) -> PortalSessionData:
    return PortalSessionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        as_of=as_of,
        url=text(source.get("customer_portal_url")) or incomplete(source, "customer_portal_url"),
        expires_at=iso_moment(source.get("expires_at")),
        raw=source,
    )
