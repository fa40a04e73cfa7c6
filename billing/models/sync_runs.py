"""How far a run of `billing_sync` has come, so that one that was killed goes on where it was."""

from django.db import models
from django.db.models import Q

from billing.enums import Mode
from billing.models.base import BaseModel, choices


class SyncRun(BaseModel):
    """One pass over what a provider lists; at most one is unfinished per provider and mode.

    `claimed_until` and `claim_id` are the lease of the process that works on it. `since`: only what
    was created there since then is looked at. `counts` are those of the whole run, by kind.
    """

    provider = models.CharField(max_length=40)
    mode = models.CharField(max_length=10, choices=choices(Mode))
    kinds = models.JSONField(default=list)
    since = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    claim_id = models.UUIDField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode"],
                condition=Q(finished_at=None),
                name="billing_syncrun_one_open",
            )
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="billing_syncrun_newest")]

    def __str__(self) -> str:
        return f"{self.provider}, {self.created_at:%Y-%m-%d %H:%M}"


class SyncPage(BaseModel):
    """A part of a run that is done: what was listed, and where the list goes on.

    `next_cursor` is '' behind the last page. `is_last` closes the kind: what was not listed has
    been looked for too. Pages are deleted when their run is finished.
    """

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="pages")
    kind = models.CharField(max_length=20)
    number = models.PositiveIntegerField()
    next_cursor = models.CharField(max_length=500, blank=True)
    is_last = models.BooleanField(default=False)
    remote_ids = models.JSONField(default=list)
    counts = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "number"], name="billing_syncpage_once")
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="billing_syncpage_newest")]

    def __str__(self) -> str:
        return f"{self.kind}, page {self.number}"
