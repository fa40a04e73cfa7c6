"""Versions of the routing rules: drafted, edited, activated; never changed after that."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from billing.conf import conf
from billing.enums import RuleSetState
from billing.errors import DraftChanged, InvalidRules, InvalidTransition
from billing.models import RuleSet
from billing.routing import problems


def ensure_active() -> RuleSet:
    """Return the active rule set; make version 1 from BILLING_ROUTES when there is none at all.

    Raises RuleSet.DoesNotExist where there are versions and none is active.
    """
    active = RuleSet.objects.filter(state=RuleSetState.ACTIVE).first()
    if active:
        return active
    try:
        with transaction.atomic():
            return RuleSet.objects.create(
                version=1,
                rules=[dict(rule) for rule in conf.routes],
                state=RuleSetState.ACTIVE,
                activated_at=timezone.now(),
                note="From BILLING_ROUTES",
            )
    except IntegrityError:
        return RuleSet.objects.get(state=RuleSetState.ACTIVE)


def draft(origin: RuleSet, *, note: str = "") -> RuleSet:
    """Return a new version with the rules of `origin`, to be edited."""
    with transaction.atomic():
        list(RuleSet.objects.select_for_update().filter(state=RuleSetState.ACTIVE))
        newest = RuleSet.objects.aggregate(newest=Max("version"))["newest"] or 0
        return RuleSet.objects.create(version=newest + 1, rules=origin.rules, note=note)


def edit(
    rule_set: RuleSet,
    rules: Sequence[Mapping[str, Any]],
    *,
    note: str,
    seen_at: datetime | None = None,
) -> RuleSet:
    """Replace the rules of a draft; `seen_at` is the `updated_at` that the change was made from.

    Raises InvalidRules naming what is wrong, InvalidTransition once it has been active,
    DraftChanged when it is not as it was seen.
    """
    found = problems(rules)
    if found:
        raise InvalidRules(found)
    with transaction.atomic():
        draft = _locked_draft(rule_set, seen_at)
        draft.rules, draft.note = [dict(rule) for rule in rules], note
        draft.save(update_fields=["rules", "note", "updated_at"])
    return draft


def activate(rule_set: RuleSet, *, seen_at: datetime | None = None) -> RuleSet:
    """Let a draft decide from now on and retire the version that did.

    Raises InvalidRules, InvalidTransition when it is not a draft any more, DraftChanged when it is
    not as it was `seen_at`.
    """
    now = timezone.now()
    with transaction.atomic():
        active = list(RuleSet.objects.select_for_update().filter(state=RuleSetState.ACTIVE))
        locked = _locked_draft(rule_set, seen_at)
        found = problems(locked.rules)
        if found:
            raise InvalidRules(found)
        for earlier in active:
            earlier.state = RuleSetState.RETIRED
            earlier.retired_at = now
            earlier.save(update_fields=["state", "retired_at", "updated_at"])
        locked.state = RuleSetState.ACTIVE
        locked.activated_at = now
        locked.save(update_fields=["state", "activated_at", "updated_at"])
    return locked


def _locked_draft(rule_set: RuleSet, seen_at: datetime | None) -> RuleSet:
    locked = RuleSet.objects.select_for_update().get(pk=rule_set.pk)
    if locked.state != RuleSetState.DRAFT:
        raise InvalidTransition("only a draft can be changed")
    if seen_at and locked.updated_at != seen_at:
        raise DraftChanged("the draft was changed meanwhile")
    return locked
