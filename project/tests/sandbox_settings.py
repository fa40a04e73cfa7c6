"""Settings of a production that sells through a sandbox; used by the refusals' tests."""

from project.settings import *  # noqa: F403

BILLING_PROVIDERS = {
    "stripe": {
        "BACKEND": "billing.providers.sandbox.SandboxProvider",
        "MODE": "sandbox",
        "OPTIONS": {"secret": "whsec_fake"},
    }
}
