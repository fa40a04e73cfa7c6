"""The project with both its providers at the end of a wire: see `billing.tests.soak.wire`."""

import os

from project.settings import *  # noqa: F403
from project.settings import BASE_DIR
from project.stand_ins import STAND_INS

BILLING_PROVIDERS = {
    alias: {
        "BACKEND": "billing.tests.soak.wire.WireProvider",
        "MODE": "sandbox",
        "OPTIONS": {"path": str(BASE_DIR / "unused"), "like": STAND_INS[alias], "secret": ""},
    }
    for alias in ("stripe", "conekta")
}
BILLING_ROUTES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"provider": "stripe"},
]
BILLING_CLOCK = "django.utils.timezone.now"
BILLING_CIRCUIT_FAILURES = int(os.environ.get("WIRE_CIRCUIT_FAILURES", "5"))
BILLING_CIRCUIT_SECONDS = int(os.environ.get("WIRE_CIRCUIT_SECONDS", "30"))
