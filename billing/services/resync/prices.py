"""Plans: whether what we sell is sold there as we have it. Amounts are never changed by a sync."""

from functools import partial
from typing import Any

from billing.errors import ProviderObjectMissing
from billing.models import Price, ProviderPrice
from billing.providers.base import ReadsPlans
from billing.providers.types import PlanData, Ref
from billing.registry import providers
from billing.services import plans, sync
from billing.services.resync.findings import Count, Finding, Outcome
from billing.services.resync.parts import Part, Pass, asking, uuids
from billing.services.sync import Difference


class Plans(Part):
    """The prices that the provider sells. Those that are none of ours are left alone."""

    name = "plans"

    def can_read(self, provider: str) -> bool:
        return providers.supports(provider, ReadsPlans)

    def page(self, this: Pass, cursor: str) -> Outcome:
        found = asking(providers.get(this.provider, ReadsPlans).list_plans)
        outcome = Outcome(remote_ids=[each.id for each in found])
        outcome.counts[Count.LISTED] += len(found)
        self._settle(this, found, outcome)
        return outcome

    def unseen(self, this: Pass, seen: set[str]) -> Outcome:
        """Providers list what is on sale; one that is not may have been archived there."""
        outcome = Outcome()
        reader = providers.get(this.provider, ReadsPlans)
        rows = _published(this).filter(is_active=True, created_at__lt=this.started_at)
        found = []
        for row in rows:
            if row.provider_price_id in seen:
                continue
            try:
                found.append(asking(partial(reader.get_plan, Ref(id=row.provider_price_id))))
            except ProviderObjectMissing as exc:
                outcome.add(self._finding(row.provider_price_id, Count.MISSING_THERE, exc.code))
        self._settle(this, found, outcome)
        return outcome

    def _settle(self, this: Pass, found: list[PlanData], outcome: Outcome) -> None:
        rows = {row.provider_price_id: row for row in _published(this)}
        sold = {row.price_id for row in rows.values()}
        references = uuids([each.reference for each in found])
        prices = {str(price.pk): price for price in Price.objects.filter(pk__in=references)}
        for data in found:
            row = rows.get(data.id)
            price = row.price if row else prices.get(data.reference or "")
            if price is None:
                outcome.counts[Count.NOT_OURS] += 1
            elif row is None and price.pk in sold:
                detail = "its price is sold under another id too"
                outcome.add(self._finding(data.id, Count.MISSING_HERE, detail))
            else:
                self._compare(this, data, row, price, outcome)

    def _compare(
        self, this: Pass, data: PlanData, row: ProviderPrice | None, price: Price, outcome: Outcome
    ) -> None:
        differences = (*_fixed(data, price), *_told(data, row))
        if row and not differences:
            outcome.counts[Count.EQUAL] += 1
            return
        outcome.add(
            Finding(
                kind=self.name,
                remote_id=data.id,
                count=Count.DIFFERS if row else Count.MISSING_HERE,
                detail="an amount, currency or interval is for people to decide"
                if _fixed(data, price)
                else "",
                differences=differences,
            )
        )
        if not this.is_dry and not _fixed(data, price):
            plans.freeze(price)
            sync.upsert_provider_price(this.provider, price, data)
            outcome.counts[Count.WRITTEN] += 1

    def _finding(self, remote_id: str, count: Count, detail: str) -> Finding:
        return Finding(kind=self.name, remote_id=remote_id, count=count, detail=detail)


def _published(this: Pass) -> Any:
    rows = ProviderPrice.objects.filter(provider=this.provider, mode=this.mode)
    return rows.select_related("price")


def _fixed(data: PlanData, price: Price) -> tuple[Difference, ...]:
    """What never changes on either side."""
    pairs = (
        ("amount_minor", price.amount_minor, data.amount_minor),
        ("currency", price.currency, data.currency),
        ("interval", price.interval, str(data.interval or "")),
    )
    return tuple(
        Difference(column=column, ours=ours, theirs=theirs)
        for column, ours, theirs in pairs
        if ours != theirs
    )


def _told(data: PlanData, row: ProviderPrice | None) -> tuple[Difference, ...]:
    if row is None:
        return ()
    pairs = (
        ("is_active", row.is_active, data.is_active),
        ("provider_product_id", row.provider_product_id, data.product_id),
    )
    return tuple(
        Difference(column=column, ours=ours, theirs=theirs)
        for column, ours, theirs in pairs
        if ours != theirs
    )
