"""Invoices as the providers made them."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import ProviderFilter
from billing.admin.panels import (
    NEWEST_ROWS,
    Panel,
    badge,
    events_about,
    json_panel,
    link,
    minute,
    moment,
    money,
    operations_of,
    timeline_of,
)
from billing.admin.routing import decision_panel
from billing.models import Invoice
from billing.services import sync


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin[Invoice]):
    list_display = (
        "number_column",
        "status_badge",
        "payment_badge",
        "total",
        "due",
        "organization_link",
        "provider",
        "paid_time",
        "created",
    )
    list_select_related = ("organization",)
    list_filter = ("status", ProviderFilter)
    list_defer = ("provider_data", "line_items")
    remote_ids = ("provider_invoice_id",)
    exact_fields = ("number", "payment_intent_id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number_column", "status_badge", "provider_status"),
                    ("payment_badge", "paid_at", "next_attempt_at"),
                    ("organization_link", "customer_link"),
                    ("subscription_link", "payment_method_link"),
                )
            },
        ),
        (
            "Amounts",
            {
                "fields": (
                    ("subtotal", "discount", "tax"),
                    ("total", "due", "paid"),
                    ("refunded", "charged_back"),
                )
            },
        ),
        (
            "Dates and documents",
            {
                "fields": (
                    ("period_start", "period_end", "due_date"),
                    ("hosted_invoice_url", "invoice_pdf_url"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    ("provider_invoice_id", "payment_intent_id"),
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Number")
    def number_column(self, obj: Invoice) -> str:
        return str(obj)

    @column("Status")
    def status_badge(self, obj: Invoice) -> str:
        return badge(obj.status)

    @column("Payment")
    def payment_badge(self, obj: Invoice) -> str:
        return badge(obj.payment_state)

    @column("Subtotal")
    def subtotal(self, obj: Invoice) -> str:
        return money(obj.subtotal_minor, obj.currency)

    @column("Discount")
    def discount(self, obj: Invoice) -> str:
        return money(obj.discount_minor, obj.currency)

    @column("Tax")
    def tax(self, obj: Invoice) -> str:
        return money(obj.tax_minor, obj.currency)

    @column("Total")
    def total(self, obj: Invoice) -> str:
        return money(obj.total_minor, obj.currency)

    @column("Due")
    def due(self, obj: Invoice) -> str:
        return money(obj.amount_due_minor, obj.currency)

    @column("Amount paid")
    def paid(self, obj: Invoice) -> str:
        return money(obj.amount_paid_minor, obj.currency)

    @column("Refunded")
    def refunded(self, obj: Invoice) -> str:
        return money(obj.refunded_minor, obj.currency)

    @column("Charged back")
    def charged_back(self, obj: Invoice) -> str:
        return money(obj.charged_back_minor, obj.currency)

    @column("Paid")
    def paid_time(self, obj: Invoice) -> str:
        return minute(obj.paid_at)

    @column("Organization")
    def organization_link(self, obj: Invoice) -> str:
        return link(obj.organization)

    @column("Customer")
    def customer_link(self, obj: Invoice) -> str:
        return link(obj.customer)

    @column("Subscription")
    def subscription_link(self, obj: Invoice) -> str:
        return link(obj.subscription)

    @column("Payment method")
    def payment_method_link(self, obj: Invoice) -> str:
        return link(obj.payment_method)

    def panels(self, obj: Invoice) -> list[Panel]:
        return [
            _payments(obj),
            timeline_of(obj),
            decision_panel(obj.decision),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_invoice_id),
            json_panel("Lines", obj.line_items),
            json_panel("As the provider reports it", obj.provider_data),
        ]


def _payments(invoice: Invoice) -> Panel:
    found = list(
        invoice.payments.defer("provider_data").order_by("-created_at", "-id")[:NEWEST_ROWS]
    )
    notes = sync.surplus_of(found)
    rows = [
        (
            moment(payment.created_at),
            link(payment, money(payment.amount_minor, payment.currency)),
            badge(payment.status),
            payment.decline_code or "-",
            payment.voucher_method or "-",
            ", ".join(notes[payment.pk]) or "-",
        )
        for payment in found
    ]
    headers = ("Created", "Amount", "Status", "Decline", "Voucher", "Not wanted")
    return Panel(title="Payments", headers=headers, rows=rows)
