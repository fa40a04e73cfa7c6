"""The project's settings as on a staging server, with stand-ins for the providers without a key."""

import os

from project.providers import billing_providers
from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS, MIDDLEWARE, SANDBOX_PATH, SITE_URL, env

ROOT_URLCONF = "project.bench.urls"
BILLING_CALLER_RATE = "1000000/minute"  # one caller asks as often as it can
BILLING_PROVIDERS = billing_providers(env, "development", SANDBOX_PATH, SITE_URL)
if os.environ.get("BENCH_ONLY") == "bare":  # Django without middleware: a limit for the views
    MIDDLEWARE = []
if os.environ.get("BENCH_ONLY") == "stack":  # the same installed packages without billing
    INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "billing"]
    MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("billing.")]
    ROOT_URLCONF = "project.bench.stack_urls"
