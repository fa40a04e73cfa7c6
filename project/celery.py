"""The Celery application; worker and beat refuse an unsafe configuration before they start."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init

from project import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

broker.install()

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def refuse_unsafe_configuration(**_: Any) -> None:
    from billing.checks import refuse_unsafe_configuration

    refuse_unsafe_configuration()
