"""Repairing our rows by what providers list: for when webhooks were lost, and to see whether."""

from billing.services.resync.adoption import adopt
from billing.services.resync.adoption import check as check_adoption
from billing.services.resync.findings import UNEQUAL, Count, Finding, Progress
from billing.services.resync.parts import shown
from billing.services.resync.passes import PARTS, inspect, listing, readable, repair

__all__ = [
    "PARTS",
    "UNEQUAL",
    "Count",
    "Finding",
    "Progress",
    "adopt",
    "check_adoption",
    "inspect",
    "listing",
    "readable",
    "repair",
    "shown",
]
