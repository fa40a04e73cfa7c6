"""The ways to learn an address's country, as GEO_BACKENDS names and orders them."""

import functools
import logging

from django.utils.module_loading import import_string

from geo.backends.base import Backend
from geo.conf import conf

logger = logging.getLogger(__name__)


def configured() -> list[Backend]:
    """Return the backends that can be asked, in their order; one per process of each."""
    found = (_backend(path) for path in conf.backends)
    return [backend for backend in found if backend and backend.is_configured]


@functools.cache
def _backend(path: str) -> Backend | None:
    """One that cannot be loaded is left out and told once: the system check refuses it before."""
    try:
        backend: Backend = import_string(path)()
    except ImportError:
        logger.error("geo.backend_missing", exc_info=True, extra={"backend": path})
        return None
    return backend
