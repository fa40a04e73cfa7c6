"""The mirrored kinds: customers, payment methods, subscriptions, invoices, payments, and what has
gone back of those."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, cast

from django.db.models import Q, QuerySet

from billing.enums import EventKind
from billing.errors import ProviderError, ProviderObjectMissing, UnsupportedOperation
from billing.lifecycle import TERMINAL_SUBSCRIPTION
from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    Refund,
    Subscription,
)
from billing.providers.base import (
    Capability,
    ListsRemote,
    ListsReturned,
    ReadsPaymentMethods,
)
from billing.providers.types import ObjectData, Page, PaymentMethodData, Ref
from billing.registry import providers
from billing.services import sync
from billing.services.resync.findings import Count, Finding, Outcome
from billing.services.resync.parts import STOPS, Part, Pass, asking, chunks, from_cursor, uuids
from billing.services.resync.writing import write
from billing.services.sync import KINDS, Comparison, Kind

CUSTOMERS_A_PAGE = 50


class Objects(Part):
    """A kind that `services/sync` projects."""

    kind: ClassVar[Kind]

    @abstractmethod
    def read(self, this: Pass, cursor: str) -> Page[Any]:
        """One page of what the provider holds."""

    @abstractmethod
    def expected(self) -> QuerySet[Any]:
        """The rows whose objects the provider should list."""

    def owner(self, row: Any) -> Customer:
        """Whose the row's object is; `expected` has loaded it."""
        owner: Customer = row.customer
        return owner

    def page(self, this: Pass, cursor: str) -> Outcome:
        page = from_cursor(lambda place: self.read(this, place), cursor)
        listed = [each.id for each in (*page.items, *page.unreadable)]
        outcome = Outcome(next_cursor=page.next_cursor, remote_ids=listed)
        outcome.counts[Count.LISTED] += len(page.items) + len(page.unreadable)
        for odd in page.unreadable:
            outcome.add(self._finding(odd.id, Count.UNREADABLE, odd.reason))
        self._settle(this, page.items, outcome)
        return outcome

    def unseen(self, this: Pass, seen: set[str]) -> Outcome:
        outcome = Outcome()
        for keys in chunks(self._unseen_keys(this, seen)):
            this.renew()
            rows = self.expected().filter(pk__in=keys).defer("provider_data").order_by("pk")
            found: list[ObjectData] = []
            gone: list[Any] = []
            for row in rows:
                try:
                    found.append(asking(partial(self._fetch, this, row)))
                except STOPS:
                    raise
                except (ProviderObjectMissing, UnsupportedOperation) as exc:
                    gone.append(row)
                    outcome.add(self._finding(self._remote_id(row), Count.MISSING_THERE, exc.code))
                except ProviderError as exc:
                    outcome.add(self._finding(self._remote_id(row), Count.UNREADABLE, exc.message))
            self._settle(this, found, outcome)
            if gone and not this.is_dry:
                sync.record_missing(self.kind, gone)
        return outcome

    def _unseen_keys(self, this: Pass, seen: set[str]) -> list[Any]:
        """A row that was made after the pass began may be in no page that it read."""
        rows = self.expected().filter(
            provider=this.provider, mode=this.mode, created_at__lt=this.started_at
        )
        found = rows.order_by("pk").values_list("pk", self.kind.id_field)
        return [key for key, remote_id in found.iterator() if remote_id not in seen]

    def _fetch(self, this: Pass, row: Any) -> ObjectData:
        owner_id = self.owner(row).provider_customer_id or ""
        ref = Ref(id=self._remote_id(row), customer_id=owner_id)
        return sync.fetch(self.kind, this.provider, ref)

    def _remote_id(self, row: Any) -> str:
        return str(getattr(row, self.kind.id_field))

    def _settle(self, this: Pass, items: Sequence[Any], outcome: Outcome) -> None:
        """Count what `items` are beside our rows; write what is not equal, unless dry."""
        if not items:
            return
        comparisons = sync.compare(self.kind, this.provider, this.mode, items)
        unequal = []
        for comparison in comparisons:
            finding = self._judge(this, comparison)
            if comparison.has_unknown_status:
                raw = comparison.data.provider_status
                outcome.add(self._finding(comparison.data.id, Count.UNKNOWN_STATUS, raw))
            if finding is None:
                outcome.counts[Count.EQUAL] += 1
            elif finding.count == Count.NOT_OURS:
                outcome.counts[Count.NOT_OURS] += 1
            else:
                outcome.add(finding)
                unequal.append(comparison)
        if unequal and not this.is_dry:
            self._write(this, unequal, outcome)

    def _judge(self, this: Pass, comparison: Comparison) -> Finding | None:
        data = comparison.data
        if comparison.is_orphan:
            return self._orphan(this, comparison)
        if comparison.is_new:
            this.found.add(data.id)
            return self._finding(data.id, Count.MISSING_HERE)
        if comparison.differences:
            return Finding(
                kind=self.name,
                remote_id=data.id,
                count=Count.DIFFERS,
                detail="what has ended for us goes on there; never applied"
                if comparison.leaves_final_state
                else "",
                differences=comparison.differences,
            )
        return None

    def _orphan(self, this: Pass, comparison: Comparison) -> Finding:
        """Something of a customer that is not ours, or of a parent that is missing here too."""
        data, (name, parent_id) = comparison.data, comparison.parent
        names = {getattr(data, "customer_id", parent_id), parent_id}
        if not (comparison.has_owner or names & this.found):
            return self._finding(data.id, Count.NOT_OURS)
        this.found.add(data.id)
        return self._finding(
            data.id, Count.MISSING_HERE, f"its {name} {parent_id} is missing here too"
        )

    def _write(self, this: Pass, comparisons: list[Comparison], outcome: Outcome) -> None:
        told = sync.told_refusals(comparisons)
        wanted = [each for each in comparisons if self._can_write(each, told)]
        written = write(self.kind, this.provider, wanted)
        outcome.counts[Count.WRITTEN] += written.count
        for remote_id in written.failed:
            outcome.add(self._finding(remote_id, Count.FAILED))

    def _can_write(self, comparison: Comparison, told: set[Any]) -> bool:
        return comparison.is_orphan or comparison.row.pk not in told

    def _finding(self, remote_id: str, count: Count, detail: str = "") -> Finding:
        return Finding(kind=self.name, remote_id=remote_id, count=count, detail=detail)


class Listed(Objects):
    """A kind that the provider lists as a whole."""

    capability: ClassVar[type[Capability]] = ListsRemote
    method: ClassVar[str]

    def can_read(self, provider: str) -> bool:
        return providers.supports(provider, self.capability)

    def read(self, this: Pass, cursor: str) -> Page[Any]:
        lists = getattr(providers.get(this.provider, self.capability), self.method)
        page: Page[Any] = lists(cursor=cursor, since=this.since)
        return page


class Customers(Listed):
    name = "customers"
    kind = KINDS[EventKind.CUSTOMER]
    method = "list_customers"

    def expected(self) -> QuerySet[Any]:
        """Deleted ones need not be listed."""
        return Customer.objects.filter(provider_customer_id__isnull=False, deleted_at=None)

    def owner(self, row: Any) -> Customer:
        return cast(Customer, row)

    def _settle(self, this: Pass, items: Sequence[Any], outcome: Outcome) -> None:
        rows = Customer.objects.filter(provider=this.provider, mode=this.mode)
        named = rows.filter(pk__in=uuids([each.reference for each in items]))
        this.references.update(str(key) for key in named.values_list("pk", flat=True))
        super()._settle(this, items, outcome)

    def _orphan(self, this: Pass, comparison: Comparison) -> Finding:
        """A customer that names a row of ours is known by it. One that names none is nobody's
        until somebody says whose it is: an e-mail is no proof."""
        data = comparison.data
        if data.is_deleted or (data.reference and data.reference not in this.references):
            return self._finding(data.id, Count.NOT_OURS)
        if data.reference:
            detail = f"it carries the reference of {data.reference}, which has another customer"
        else:
            detail = "it carries no reference of ours: link it with --adopt"
        return self._finding(data.id, Count.MISSING_HERE, detail)

    def _can_write(self, comparison: Comparison, told: set[Any]) -> bool:
        return not comparison.is_orphan


class PaymentMethods(Objects):
    """Those of each of our customers, for no provider lists them as a whole."""

    name = "payment_methods"
    kind = KINDS[EventKind.PAYMENT_METHOD]

    def can_read(self, provider: str) -> bool:
        return providers.supports(provider, ReadsPaymentMethods)

    def read(self, this: Pass, cursor: str) -> Page[PaymentMethodData]:
        """`cursor` is the key of the last customer that was asked for. `since` is not looked at."""
        owners = list(_live_customers(this, cursor)[:CUSTOMERS_A_PAGE])
        found = [data for owner in owners for data in _methods_of(this, owner)]
        is_full = len(owners) == CUSTOMERS_A_PAGE
        return Page(items=tuple(found), next_cursor=str(owners[-1].pk) if is_full else "")

    def expected(self) -> QuerySet[Any]:
        """Those of deleted customers too: no list has them, so each is read singly, once."""
        return PaymentMethod.objects.filter(is_active=True).select_related("customer")


class Subscriptions(Listed):
    name = "subscriptions"
    kind = KINDS[EventKind.SUBSCRIPTION]
    method = "list_subscriptions"

    def expected(self) -> QuerySet[Any]:
        """Ended ones of deleted customers need not be listed."""
        rows = Subscription.objects.filter(provider_subscription_id__isnull=False)
        is_over = Q(status__in=list(TERMINAL_SUBSCRIPTION), customer__deleted_at__isnull=False)
        return rows.exclude(is_over).select_related("customer")


class Invoices(Listed):
    name = "invoices"
    kind = KINDS[EventKind.INVOICE]
    method = "list_account_invoices"

    def expected(self) -> QuerySet[Any]:
        return Invoice.objects.select_related("customer")


class Payments(Listed):
    name = "payments"
    kind = KINDS[EventKind.PAYMENT]
    method = "list_payments"

    def expected(self) -> QuerySet[Any]:
        return Payment.objects.select_related("customer")


class _Returned(Listed):
    """What has gone back of a payment names the payment only."""

    capability = ListsReturned

    def owner(self, row: Any) -> Customer:
        return cast(Customer, row.payment.customer)


class Refunds(_Returned):
    name = "refunds"
    kind = KINDS[EventKind.REFUND]
    method = "list_account_refunds"

    def expected(self) -> QuerySet[Any]:
        made = Refund.objects.filter(provider_refund_id__isnull=False)
        return made.select_related("payment__customer")


class Disputes(_Returned):
    name = "disputes"
    kind = KINDS[EventKind.DISPUTE]
    method = "list_disputes"

    def expected(self) -> QuerySet[Any]:
        return Dispute.objects.select_related("payment__customer")


def _live_customers(this: Pass, after: str) -> QuerySet[Customer]:
    rows = Customer.objects.filter(
        provider=this.provider,
        mode=this.mode,
        provider_customer_id__isnull=False,
        deleted_at=None,
    ).order_by("pk")
    return rows.filter(pk__gt=after) if after else rows


def _methods_of(this: Pass, owner: Customer) -> list[PaymentMethodData]:
    reader = providers.get(this.provider, ReadsPaymentMethods)
    try:
        return asking(lambda: reader.list_payment_methods(owner.ref))
    except ProviderObjectMissing:
        return []  # the customer itself is told of among the customers
