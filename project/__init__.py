"""The Django project: settings, URLs, Celery. The only place that names real providers."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
