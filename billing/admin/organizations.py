"""Organizations (only while the host brings none of its own) and who may act for them."""

from collections.abc import Iterator

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import HttpRequest

from billing.admin.base import BillingAdmin, column
from billing.admin.panels import NEWEST_ROWS, Panel, link
from billing.models import BillingAccount, Membership, Organization


class OrganizationAdmin(BillingAdmin[Organization]):
    list_display = ("name", "created")
    ordering = ("-id",)
    sortable_by = ()
    search_help_text = "Exact matches only: our id, or the e-mail of the billing account"
    readonly_fields = ("id", "created_at", "updated_at")
    fields = ("name", "id", "created_at", "updated_at")

    def search_lookups(self, term: str) -> Iterator[Q]:
        yield from super().search_lookups(term)
        accounts = BillingAccount.objects.filter(email__in={term, term.lower()})
        yield Q(pk__in=list(accounts.values_list("organization_id", flat=True)[:NEWEST_ROWS]))

    def panels(self, obj: Organization) -> list[Panel]:
        members = Membership.objects.filter(organization=obj).select_related("user")
        accounts = BillingAccount.objects.filter(organization=obj)
        return [
            Panel(
                title="Billing account",
                headers=("Account", "E-mail", "Country"),
                rows=[
                    (link(row), row.email or "-", row.billing_country or "-") for row in accounts
                ],
            ),
            Panel(
                title="Members",
                headers=("Member", "Role"),
                rows=[(link(row, row.user), row.role) for row in members[:NEWEST_ROWS]],
            ),
        ]


@admin.register(Membership)
class MembershipAdmin(BillingAdmin[Membership]):
    list_display = ("user", "role", "organization_link")
    list_select_related = ("user", "organization")
    ordering = ("-id",)
    sortable_by = ()
    raw_id_fields = ("user", "organization")
    search_help_text = "Exact matches only: a log-in name, an organization's id or e-mail"

    @column("Organization")
    def organization_link(self, obj: Membership) -> str:
        return link(obj.organization)

    def search_lookups(self, term: str) -> Iterator[Q]:
        yield Q(**{f"user__{get_user_model().USERNAME_FIELD}": term})
        yield from super().search_lookups(term)

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """A membership is access, not money: who may delete it may."""
        return super(BillingAdmin, self).has_delete_permission(request, obj)


if not Organization._meta.swapped:
    admin.site.register(Organization, OrganizationAdmin)
