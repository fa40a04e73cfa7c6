"""The Celery application; worker and beat refuse an unsafe configuration before they start."""

import os
import signal
import threading
from typing import Any

from billiard.pool import SIG_SOFT_TIMEOUT
from billiard.process import active_children
from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    worker_process_init,
    worker_shutting_down,
)
from django.conf import settings

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


@worker_process_init.connect
def finish_before_leaving(**_: Any) -> None:
    """Let the processes of a pool bear SIGTERM: they would die with a batch in hand.

    systemd, for one, sends it to every process. The parent ends its pool when the tasks are done.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@worker_shutting_down.connect
def end_in_time(**_: Any) -> None:
    """Interrupt what runs longer than a drain may, as its time limit would: a provider hangs.

    Platforms kill after 30 s; what is interrupted gives its events back.
    """
    timer = threading.Timer(settings.BILLING_DRAIN_SECONDS + 2, _interrupt_pool)
    timer.daemon = True
    timer.start()


def _interrupt_pool() -> None:
    for process in active_children():
        if process.pid:
            os.kill(process.pid, SIG_SOFT_TIMEOUT)


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Leave logging as the settings made it: Celery would set the level of the root logger."""
