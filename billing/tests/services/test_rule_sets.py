"""Versions of the rules: one decides, drafts change, what has decided stays as it was."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from billing.enums import RuleSetState
from billing.errors import DraftChanged, InvalidRules, InvalidTransition
from billing.models import RuleSet
from billing.services import rule_sets

pytestmark = pytest.mark.django_db
RULES = [{"countries": ["MX"], "provider": "conekta"}, {"provider": "stripe"}]


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    settings.BILLING_ROUTES = RULES


def make(version: int, state: RuleSetState) -> RuleSet:
    return RuleSet.objects.create(version=version, rules=RULES, state=state)


class TestEnsureActive:
    def test_the_first_is_made_from_the_settings(self) -> None:
        made = rule_sets.ensure_active()
        made.refresh_from_db()
        assert (made.version, made.rules, made.state) == (1, RULES, "active")
        assert made.note == "From BILLING_ROUTES"
        assert made.activated_at
        assert rule_sets.ensure_active() == made

    def test_the_active_one_decides(self, django_assert_num_queries: Any) -> None:
        make(1, RuleSetState.RETIRED)
        active = make(2, RuleSetState.ACTIVE)
        make(3, RuleSetState.DRAFT)
        with django_assert_num_queries(1):
            assert rule_sets.ensure_active() == active

    def test_one_that_another_process_made_meanwhile_is_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = make(1, RuleSetState.ACTIVE)
        make(2, RuleSetState.DRAFT)
        with monkeypatch.context() as patch:
            patch.setattr(QuerySet, "first", lambda self: None)
            assert rule_sets.ensure_active() == theirs

    def test_without_an_active_one_there_is_nothing_to_take(self) -> None:
        """Version 1 is taken but does not decide: no rules are made up."""
        make(1, RuleSetState.RETIRED)
        with pytest.raises(RuleSet.DoesNotExist) as caught:
            rule_sets.ensure_active()
        assert isinstance(caught.value.__context__, IntegrityError)


def test_a_draft_begins_with_the_rules_of_its_origin() -> None:
    active = rule_sets.ensure_active()
    made = rule_sets.draft(active, note="Try it")
    assert (made.version, made.rules, made.state, made.note) == (2, RULES, "draft", "Try it")
    assert rule_sets.draft(made).version == 3
    assert rule_sets.ensure_active() == active


class TestEdit:
    def test_a_draft_is_changed(self) -> None:
        made = rule_sets.draft(rule_sets.ensure_active())
        rule_sets.edit(made, [{"provider": "polar"}], note="Only one")
        made.refresh_from_db()
        assert (made.rules, made.note) == ([{"provider": "polar"}], "Only one")
        assert made.updated_at > made.created_at

    def test_and_no_other(self) -> None:
        other = rule_sets.draft(rule_sets.ensure_active())
        rule_sets.edit(rule_sets.draft(other), [{"provider": "polar"}], note="")
        other.refresh_from_db()
        assert other.rules == RULES

    @pytest.mark.parametrize("state", [RuleSetState.ACTIVE, RuleSetState.RETIRED])
    def test_what_has_decided_stays(self, state: RuleSetState) -> None:
        made = make(1, state)
        with pytest.raises(InvalidTransition):
            rule_sets.edit(made, [{"provider": "polar"}], note="")
        made.refresh_from_db()
        assert made.rules == RULES

    def test_rules_that_could_not_decide_are_refused(self) -> None:
        made = rule_sets.draft(rule_sets.ensure_active())
        with pytest.raises(InvalidRules) as caught:
            rule_sets.edit(made, [{"countries": ["MX"], "provider": "a"}], note="")
        assert len(caught.value.problems) == 1

    def test_one_that_changed_since_it_was_seen_is_left_alone(self) -> None:
        made = rule_sets.draft(rule_sets.ensure_active())
        seen_at = made.updated_at
        made = rule_sets.edit(made, [{"provider": "polar"}], note="", seen_at=seen_at)
        for change in (
            lambda: rule_sets.edit(made, [{"provider": "conekta"}], note="", seen_at=seen_at),
            lambda: rule_sets.activate(made, seen_at=seen_at),
        ):
            with pytest.raises(DraftChanged):
                change()
        made.refresh_from_db()
        assert (made.rules, made.state) == ([{"provider": "polar"}], "draft")
        assert rule_sets.activate(made, seen_at=made.updated_at).state == "active"


class TestActivate:
    def test_the_earlier_version_is_retired(self) -> None:
        before = rule_sets.ensure_active()
        after = rule_sets.activate(rule_sets.draft(before))
        before.refresh_from_db()
        assert (before.state, after.state) == ("retired", "active")
        assert before.retired_at == after.activated_at is not None
        assert rule_sets.ensure_active() == after

    def test_only_a_draft_can_be(self) -> None:
        active = rule_sets.ensure_active()
        with pytest.raises(InvalidTransition):
            rule_sets.activate(active)

    def test_rules_that_could_not_decide_are_refused(self) -> None:
        active = rule_sets.ensure_active()
        made = rule_sets.draft(active)
        RuleSet.objects.filter(pk=made.pk).update(rules=[])
        with pytest.raises(InvalidRules):
            rule_sets.activate(made)
        assert rule_sets.ensure_active() == active
