"""Statements that must hold over the tables at any moment, also while workers run.

Each is one query that finds what contradicts it. Nothing is written, nothing is repaired.
"""

from billing.services.invariants import inbox, mirror, requests
from billing.services.invariants.base import STATEMENTS, Finding, Statement, check

__all__ = ["STATEMENTS", "Finding", "Statement", "check", "inbox", "mirror", "requests"]
