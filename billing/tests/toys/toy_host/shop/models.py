"""A host's own organization: an integer key and another way of knowing who belongs to it."""

from django.conf import settings
from django.db import models


class Company(models.Model):
    title = models.CharField(max_length=100)
    boss = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    def __str__(self):
        return self.title


def roles_of(user):
    return [(company.pk, "owner") for company in Company.objects.filter(boss=user)]
