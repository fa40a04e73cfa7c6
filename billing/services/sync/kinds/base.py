"""What a kind of mirrored object must answer, and what the kinds share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from billing.enums import EventKind
from billing.models import (
    Customer,
    Invoice,
    Payment,
    PaymentMethod,
    ProviderOwned,
    ProviderPrice,
    Subscription,
)
from billing.providers.base import Capability
from billing.providers.types import NextAction

# The parent of what belongs to no customer at all: never known, never asked for.
NOBODY = "nobody"
# How rows are taken: `locked` to write them, `unlocked` only to look.
Take = Callable[[type[models.Model], Q], list[Any]]


def locked(model: type[models.Model], condition: Q) -> list[Any]:
    # no_key: rows that point here may be inserted meanwhile; their foreign-key check must not wait.
    return list(_rows(model, condition).select_for_update(no_key=True).order_by("pk"))


def unlocked(model: type[models.Model], condition: Q) -> list[Any]:
    return list(_rows(model, condition))


def _rows(model: type[models.Model], condition: Q) -> models.QuerySet[Any]:
    """Without what the provider told last: it is as long as all the rest, and only replaced."""
    return model._default_manager.filter(condition).defer("provider_data")


@dataclass
class Relatives:
    """Rows that the snapshots of one batch point to, by remote id: loaded once per batch.

    They carry no more columns than `values` copies from them.
    """

    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    payment_methods: dict[str, PaymentMethod] = field(default_factory=dict)
    prices: dict[str, ProviderPrice] = field(default_factory=dict)


class Kind(ABC):
    """One kind of object; instances hold no state.

    `volatile` columns are told differently each time without meaning anything else, such as links
    that are signed anew: where both sides have one, they are alike.
    """

    name: ClassVar[EventKind]
    model: ClassVar[type[ProviderOwned]]
    id_field: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    reader: ClassVar[type[Capability]]
    read_method: ClassVar[str]
    terminal: ClassVar[frozenset[str]] = frozenset()
    early: ClassVar[frozenset[str]] = frozenset()
    volatile: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def relatives(self, provider: str, mode: str, items: Sequence[Any]) -> Relatives:
        """Load what `items` point to."""

    @abstractmethod
    def missing_parent(self, data: Any, row: Any, relatives: Relatives) -> tuple[EventKind, str]:
        """Return kind and remote id of the parent that is not known yet, else (kind, '')."""

    @abstractmethod
    def values(self, data: Any, row: Any, relatives: Relatives) -> dict[str, Any]:
        """Return the columns that `data` sets; `row` is the stored one, or a new one."""

    def follow(self, rows: Sequence[Any]) -> None:  # noqa: B027 - most rows have no sums above them
        """Bring the sums over `rows` in line with them; runs in the transaction that wrote them."""

    def reserved_rows(
        self, provider: str, mode: str, items: Sequence[Any], take: Take = locked
    ) -> dict[str, Any]:
        """Rows inserted before their remote object existed: remote id -> row.

        The row may get its id while we wait for its lock, from who had the same answer first.
        """
        wanted = {item.reference: item.id for item in items if _is_uuid(item.reference or "")}
        if not wanted:
            return {}
        is_theirs = Q(**{f"{self.id_field}__isnull": True})
        is_theirs |= Q(**{f"{self.id_field}__in": list(wanted.values())})
        rows = take(
            self.model, Q(pk__in=list(wanted)) & is_theirs & Q(provider=provider, mode=mode)
        )
        return {wanted[str(row.pk)]: row for row in rows}

    def stored_rows(
        self, provider: str, mode: str, items: Sequence[Any], take: Take = locked
    ) -> dict[str, Any]:
        """The stored rows of `items` by remote id, locked in key order unless `take` says else."""
        ids = [item.id for item in items]
        rows = take(self.model, Q(**{f"{self.id_field}__in": ids}, provider=provider, mode=mode))
        return {getattr(row, self.id_field): row for row in rows}

    def status(self, row: Any) -> str:
        """What the ledger shows as the row's state."""
        return str(row.status)


def by_id(
    rows: models.QuerySet[Any], id_field: str, provider: str, mode: str, ids: Iterable[str | None]
) -> dict[str, Any]:
    wanted = {item for item in ids if item}
    if not wanted:
        return {}
    found = rows.filter(**{f"{id_field}__in": wanted}, provider=provider, mode=mode)
    return {getattr(row, id_field): row for row in found}


def customers_of(provider: str, mode: str, items: Sequence[Any]) -> dict[str, Customer]:
    ids = (item.customer_id for item in items)
    rows = Customer.objects.only("provider_customer_id", "organization")
    return by_id(rows, "provider_customer_id", provider, mode, ids)


def payment_methods_of(provider: str, mode: str, items: Sequence[Any]) -> dict[str, PaymentMethod]:
    ids = (item.payment_method_id for item in items)
    rows = PaymentMethod.objects.only("provider_payment_method_id")
    return by_id(rows, "provider_payment_method_id", provider, mode, ids)


def method_columns(data: Any, relatives: Relatives) -> dict[str, Any]:
    if data.payment_method_id is None:
        return {}
    method = relatives.payment_methods.get(data.payment_method_id)
    return {
        "provider_payment_method_id": data.payment_method_id,
        "payment_method_id": method.pk if method else None,
    }


def owner_columns(data: Any, relatives: Relatives) -> dict[str, Any]:
    owner = relatives.customers.get(data.customer_id)
    return {"organization_id": owner.organization_id, "customer_id": owner.pk} if owner else {}


def next_action_column(action: NextAction | None) -> dict[str, Any]:
    return {"type": action.type.value, **action.details} if action else {}


def _is_uuid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(
        char in "0123456789abcdef" for part in parts for char in part
    )
