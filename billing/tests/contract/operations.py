"""Which of Stripe's operations each capability of StripeProvider is made of.

A run of the whole suite must have asked each of them; a capability that is not listed fails a test.
"""

CAPABILITIES: dict[str, tuple[str, ...]] = {
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
    "ReadsInvoices": ("GET /v1/invoices/{invoice}", "GET /v1/invoices"),
    "CollectsInvoices": (
        "POST /v1/invoices/{invoice}/finalize",
        "POST /v1/invoices/{invoice}/pay",
    ),
    "ReadsPayments": ("GET /v1/payment_intents/{intent}", "GET /v1/charges/{charge}"),
    "ReadsPlans": ("GET /v1/prices", "GET /v1/prices/{price}"),
    "PublishesPlans": (
        "POST /v1/products",
        "POST /v1/products/{id}",
        "POST /v1/prices",
        "POST /v1/prices/{price}",
    ),
    "FindsByReference": ("GET /v1/customers/search", "GET /v1/subscriptions"),
}
