"""Which of its provider's operations each capability is made of.

A run of the whole suite must have asked each of them; a capability that is not listed fails a test.
"""

Capabilities = dict[str, tuple[str, ...]]

STRIPE: Capabilities = {
    "PaymentProvider": ("GET /v1/balance",),
    "ReceivesWebhooks": (),  # pure functions over what arrives
    "ReadsCustomers": ("GET /v1/customers/{customer}",),
    "ManagesCustomers": (
        "POST /v1/customers",
        "POST /v1/customers/{customer}",
        "DELETE /v1/customers/{customer}",
    ),
    "ReadsPaymentMethods": (
        "GET /v1/payment_methods/{payment_method}",
        "GET /v1/customers/{customer}/payment_methods",
    ),
    "ManagesPaymentMethods": (
        "POST /v1/payment_methods/{payment_method}/attach",
        "POST /v1/payment_methods/{payment_method}/detach",
        "POST /v1/customers/{customer}",
        "POST /v1/subscriptions/{subscription_exposed_id}",
    ),
    "ReadsSubscriptions": ("GET /v1/subscriptions/{subscription_exposed_id}",),
    "ManagesSubscriptions": (
        "POST /v1/subscriptions",
        "POST /v1/subscriptions/{subscription_exposed_id}",
        "DELETE /v1/subscriptions/{subscription_exposed_id}",
        "POST /v1/invoices/{invoice}/pay",
    ),
    "ResumesSubscriptions": ("POST /v1/subscriptions/{subscription_exposed_id}",),
    "PausesSubscriptions": (
        "POST /v1/subscriptions/{subscription}/pause",
        "POST /v1/subscriptions/{subscription}/resume",
    ),
    "PreviewsChanges": ("POST /v1/invoices/create_preview",),
    "AppliesCoupons": (
        "GET /v1/promotion_codes",
        "POST /v1/subscriptions/{subscription_exposed_id}",
    ),
    "ReadsInvoices": ("GET /v1/invoices/{invoice}", "GET /v1/invoices"),
    "CollectsInvoices": (
        "POST /v1/invoices/{invoice}/finalize",
        "POST /v1/invoices/{invoice}/pay",
    ),
    "VoidsInvoices": ("POST /v1/invoices/{invoice}/void",),
    "WritesOffInvoices": ("POST /v1/invoices/{invoice}/mark_uncollectible",),
    "PrintsInvoices": ("GET /v1/invoices/{invoice}",),
    "ReadsPayments": ("GET /v1/payment_intents/{intent}", "GET /v1/charges/{charge}"),
    "TakesPayments": ("POST /v1/payment_intents",),
    "HostsCheckout": ("POST /v1/checkout/sessions", "GET /v1/checkout/sessions/{session}"),
    "HostsPortal": ("POST /v1/billing_portal/sessions",),
    "MetersUsage": (
        "POST /v1/billing/meters",
        "GET /v1/billing/meters",
        "POST /v1/billing/meter_events",
    ),
    "RegistersWebhooks": (
        "GET /v1/webhook_endpoints",
        "POST /v1/webhook_endpoints",
        "POST /v1/webhook_endpoints/{webhook_endpoint}",
    ),
    "ReadsPlans": ("GET /v1/prices", "GET /v1/prices/{price}"),
    "PublishesPlans": (
        "POST /v1/products",
        "POST /v1/products/{id}",
        "POST /v1/prices",
        "POST /v1/prices/{price}",
    ),
    "ListsRemote": (
        "GET /v1/customers",
        "GET /v1/customers/{customer}/payment_methods",
        "GET /v1/subscriptions",
        "GET /v1/invoices",
        "GET /v1/payment_intents",
    ),
    "ListsReturned": ("GET /v1/refunds", "GET /v1/disputes"),
    "ListsEvents": ("GET /v1/events",),
    "AdoptsCustomers": ("POST /v1/customers/{customer}",),
    "SetsUpPaymentMethods": ("POST /v1/setup_intents", "GET /v1/setup_intents/{intent}"),
    "RefundsPayments": ("POST /v1/refunds", "GET /v1/refunds/{refund}", "GET /v1/refunds"),
    "ReadsDisputes": ("GET /v1/disputes/{dispute}",),
    "FindsByReference": ("GET /v1/customers/search", "GET /v1/subscriptions"),
}
CONEKTA: Capabilities = {
    "PaymentProvider": ("GET /plans",),
    "ReceivesWebhooks": (),  # pure functions over what arrives
    "ReadsCustomers": ("GET /customers/{id}",),
    "ManagesCustomers": (
        "POST /customers",
        "PUT /customers/{id}",
        "DELETE /customers/{id}",
    ),
    "AdoptsCustomers": ("PUT /customers/{id}",),
    "ReadsPaymentMethods": ("GET /customers/{id}/payment_sources",),
    "ManagesPaymentMethods": (
        "POST /customers/{id}/payment_sources",
        "DELETE /customers/{id}/payment_sources/{payment_method_id}",
        "PUT /customers/{id}",
        "PUT /customers/{customer_id}/subscriptions/{id}",
    ),
    "ReadsSubscriptions": ("GET /customers/{customer_id}/subscriptions/{id}",),
    "ManagesSubscriptions": (
        "POST /customers/{customer_id}/subscriptions",
        "PUT /customers/{customer_id}/subscriptions/{id}",
        "POST /customers/{customer_id}/subscriptions/{id}/cancel",
        "GET /orders/{id}",
    ),
    "PausesSubscriptions": (
        "POST /customers/{customer_id}/subscriptions/{id}/pause",
        "POST /customers/{customer_id}/subscriptions/{id}/resume",
    ),
    "PreviewsChanges": ("GET /customers/{customer_id}/subscriptions/{id}", "GET /plans/{id}"),
    "ReadsPlans": ("GET /plans", "GET /plans/{id}"),
    "PublishesPlans": ("POST /plans", "PUT /plans/{id}"),
    "FindsByReference": ("GET /customers", "GET /customers/{customer_id}/subscriptions"),
    "ListsRemote": ("GET /customers", "GET /customers/{customer_id}/subscriptions", "GET /orders"),
    "ListsEvents": ("GET /events",),
    "ResendsEvents": ("GET /events/{id}", "GET /webhooks", "POST /events/{event_id}/resend"),
    "ReadsInvoices": ("GET /orders/{id}", "GET /orders"),
    "CollectsInvoices": (
        "POST /orders/{id}/charges",
        "POST /customers/{customer_id}/subscriptions/{id}/retry",
    ),
    "VoidsInvoices": ("POST /orders/{id}/cancel",),
    "ReadsPayments": ("GET /charges", "GET /orders/{id}"),
    "TakesPayments": ("POST /orders",),
    "IssuesVouchers": ("POST /orders", "POST /orders/{id}/charges"),
    "RefundsPayments": ("POST /orders/{id}/refunds", "GET /charges", "GET /orders"),
    "ReadsDisputes": ("GET /orders",),
    "ListsReturned": ("GET /orders",),
    "HostsCheckout": ("POST /orders", "GET /orders/{id}"),
    "HostsPortal": ("POST /subscriptions/{subscription_id}/customer_portal",),
    "RegistersWebhooks": (
        "GET /webhooks",
        "POST /webhooks",
        "PUT /webhooks/{id}",
        "GET /webhook_keys",
        "POST /webhook_keys",
    ),
}
POLAR: Capabilities = {
    "PaymentProvider": ("GET /v1/products/",),
    "ReceivesWebhooks": (),  # pure functions over what arrives
    "ReadsCustomers": ("GET /v1/customers/{id}",),
    "ManagesCustomers": (
        "POST /v1/customers/",
        "PATCH /v1/customers/{id}",
        "DELETE /v1/customers/{id}",
    ),
    "FindsByReference": ("GET /v1/customers/external/{external_id}", "GET /v1/subscriptions/"),
    "ReadsSubscriptions": ("GET /v1/subscriptions/{id}",),
    "ReadsInvoices": ("GET /v1/orders/{id}", "GET /v1/orders/"),
    "ReadsPayments": ("GET /v1/orders/{id}",),
    "ListsRemote": ("GET /v1/customers/", "GET /v1/subscriptions/", "GET /v1/orders/"),
    "HostsPortal": ("POST /v1/customer-sessions/",),
}
OPERATIONS: dict[str, Capabilities] = {"stripe": STRIPE, "conekta": CONEKTA, "polar": POLAR}
