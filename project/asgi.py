"""ASGI entry point; refuses an unsafe configuration before it serves."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()

from billing.checks import refuse_unsafe_configuration  # noqa: E402 - needs Django set up

refuse_unsafe_configuration()
