"""Versions of the routing rules: read, copied into a draft, edited, compared and activated."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from billing import explanations
from billing.admin.actions import confirm
from billing.admin.base import ReadOnlyAdmin, button, capped_count, column, may_change
from billing.admin.panels import NEWEST_CHANGES, Panel, badge, change_url, minute, moment
from billing.admin.rule_forms import DraftForm, RuleFormSet, SeenForm, SimulatorForm
from billing.admin.simulator import answer_panels
from billing.enums import RuleSetState
from billing.errors import BillingError
from billing.messages import text_for
from billing.models import RoutingDecision, RuleSet
from billing.routing import Rule
from billing.services import rule_sets
from billing.services.rule_warnings import warnings_of

DECISIONS_LIMIT = 1_000
ONLY_FOR_DRAFTS = ("edit", "activate")


@admin.register(RuleSet)
class RuleSetAdmin(ReadOnlyAdmin[RuleSet]):
    list_display = ("name", "state_badge", "note", "active_from", "active_until", "decisions")
    list_defer = ("rules",)
    list_filter = ("state",)
    ordering = ("-version",)
    sortable_by = ()
    search_fields = ()
    actions_list = ("simulate",)
    actions_detail = ("try_out", "copy", "edit", "activate")
    fields = (
        ("version", "state_badge"),
        "note",
        ("active_from", "active_until"),
        ("created_at", "updated_at"),
    )

    @column("Version")
    def name(self, obj: RuleSet) -> str:
        return f"Version {obj.version}"

    @column("State")
    def state_badge(self, obj: RuleSet) -> str:
        return badge(obj.state)

    @column("Active from")
    def active_from(self, obj: RuleSet) -> str:
        return minute(obj.activated_at)

    @column("Active until")
    def active_until(self, obj: RuleSet) -> str:
        return minute(obj.retired_at)

    @column("Decisions")
    def decisions(self, obj: Any) -> str:
        """Whether there are any: a list counts no big table."""
        return "some" if obj.has_decided else "none"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RuleSet]:
        decisions = RoutingDecision.objects.filter(rule_set=OuterRef("pk"))
        return super().get_queryset(request).annotate(has_decided=Exists(decisions))

    def panels(self, obj: RuleSet) -> list[Panel]:
        return [
            rules_panel(obj.rules),
            Panel(title="Decisions made", text=_count(obj)),
            _history(obj),
        ]

    def has_edit_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether staff may press the buttons: by them and nothing else do rules change."""
        return may_change(request, RuleSet)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The buttons: those that change a version only where it is a draft."""
        offered: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        obj = self.get_object(request, object_id)
        if obj and obj.state == RuleSetState.DRAFT:
            return offered
        return [action for action in offered if action.path not in ONLY_FOR_DRAFTS]

    @button("Simulator", path="simulate", permission="view", icon="science")
    def simulate(self, request: HttpRequest) -> HttpResponse:
        """A form by GET: its answer is computed, nothing is stored and nobody is called."""
        active = RuleSet.objects.filter(state=RuleSetState.ACTIVE).first()
        is_asked = "transaction_type" in request.GET
        form = SimulatorForm(
            request.GET if is_asked else None,
            initial={"rule_set": request.GET.get("rule_set") or active},
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Simulator",
            "form": form,
            "media": form.media,
            "panels": answer_panels(form.cleaned_data) if form.is_valid() else [],
        }
        return TemplateResponse(request, "admin/billing/simulator.html", context)

    @button("Try it", path="try", permission="view", icon="science")
    def try_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        query = urlencode({"rule_set": object_id})
        return redirect(f"{reverse('admin:billing_ruleset_simulate')}?{query}")

    @button("Copy into a draft", path="copy", permission="edit", icon="content_copy")
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        question = "A new draft begins with these rules. Nothing changes until it is activated."
        return confirm(self, request, object_id, question, "Copy into a draft", self._copy)

    @button("Edit rules", path="edit", permission="edit", icon="edit")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form with one row per rule. A view of its own, as all that changes a version."""
        draft = self.get_object(request, object_id)
        if draft is None:
            raise Http404
        page = change_url("billing", "ruleset", draft.pk)
        if draft.state != RuleSetState.DRAFT:
            messages.error(request, "Only a draft can be edited: copy this version into one.")
            return redirect(page)
        form, formset = _forms(request, draft)
        if request.method == "POST" and self._save(request, draft, form, formset):
            return redirect(request.path if "_continue" in request.POST else page)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": draft,
            "title": f"Edit rules: {draft}",
            "form": form,
            "formset": formset,
            "media": formset.media,
            "back": page,
        }
        return TemplateResponse(request, "admin/billing/edit_rules.html", context)

    @button("Activate", path="activate", permission="edit", icon="play_arrow")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        question = (
            "These rules decide every new purchase from now on; the version that does so now is "
            "retired. What exists stays where it is."
        )
        return confirm(
            self, request, object_id, question, "Activate", self._activate, _before_activation
        )

    def _copy(self, request: HttpRequest, origin: RuleSet) -> HttpResponse:
        draft = rule_sets.draft(origin, note=f"Copy of version {origin.version}")
        self.log_addition(request, draft, f"Copied from version {origin.version}.")
        messages.success(request, f"Version {draft.version} is a draft. Edit its rules here.")
        return redirect(change_url("billing", "ruleset", draft.pk))

    def _save(self, request: HttpRequest, draft: RuleSet, form: DraftForm, formset: Any) -> bool:
        if not (form.is_valid() and formset.is_valid()):
            return False
        try:
            rule_sets.edit(
                draft,
                formset.rules(),
                note=form.cleaned_data["note"],
                seen_at=form.cleaned_data["seen_at"],
            )
        except BillingError as error:
            messages.error(request, str(text_for(error.code, error.http_status)))
            return False
        self.log_change(request, draft, "Rules edited.")
        messages.success(request, f"The rules of version {draft.version} are saved.")
        return True

    def _activate(self, request: HttpRequest, draft: RuleSet) -> None:
        form = SeenForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Read what changes before you activate it.")
            return
        try:
            rule_sets.activate(draft, seen_at=form.cleaned_data["seen_at"])
        except BillingError as error:
            messages.error(request, str(text_for(error.code, error.http_status)))
            return
        self.log_change(request, draft, "Activated.")
        messages.success(request, f"Version {draft.version} decides from now on.")


def rules_panel(rules: Sequence[Rule]) -> Panel:
    """The rules in words, in their order."""
    rows = [
        (
            position,
            explanations.conditions(rule),
            rule["provider"],
            rule.get("currency") or "-",
        )
        for position, rule in enumerate(rules, start=1)
    ]
    headers = ("Rule", "When", "Provider", "Suggested currency")
    return Panel(title="Rules, the first match wins", headers=headers, rows=rows)


def warnings_panel(rules: Sequence[Rule]) -> Panel:
    """What speaks against the rules without making them wrong; not shown where nothing does."""
    found = warnings_of(rules)
    rows = [(each.position, explanations.warning(each.code, each.values)) for each in found]
    headers = ("Rule", "Warning") if rows else ()
    return Panel(title="Look at this first", headers=headers, rows=rows)


def differences_panel(old: Sequence[Rule], new: Sequence[Rule]) -> Panel:
    """Rule by rule, what the draft changes."""
    headers = ("Change", "Decides now", "Would decide")
    before, after = ([explanations.in_words(rule) for rule in rules] for rules in (old, new))
    rows = list(_differences(before, after))
    return Panel(title="What changes", headers=headers, rows=rows)


def _differences(old: list[str], new: list[str]) -> Iterable[tuple[str, str, str]]:
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    for _, start, end, new_start, new_end in matcher.get_opcodes():
        for before, after in zip_longest(old[start:end], new[new_start:new_end], fillvalue=""):
            yield badge(_change(before, after)), before or "-", after or "-"


def _change(before: str, after: str) -> str:
    if before == after:
        return "same"
    if not before:
        return "added"
    return "changed" if after else "removed"


def _before_activation(draft: RuleSet) -> list[Panel]:
    active = RuleSet.objects.filter(state=RuleSetState.ACTIVE).first()
    return [
        warnings_panel(draft.rules),
        differences_panel(active.rules if active else [], draft.rules),
    ]


def _forms(request: HttpRequest, draft: RuleSet) -> tuple[DraftForm, Any]:
    data = request.POST if request.method == "POST" else None
    initial = {"note": draft.note, "seen_at": draft.updated_at.isoformat()}
    formset = RuleFormSet(
        data, initial=draft.rules, prefix="rules", form_kwargs={"named": draft.rules}
    )
    return DraftForm(data, initial=initial), formset


def _count(rule_set: RuleSet) -> str:
    count = capped_count(rule_set.decisions.all(), DECISIONS_LIMIT)
    return f"more than {DECISIONS_LIMIT:,}" if count > DECISIONS_LIMIT else str(count)


def _history(rule_set: RuleSet) -> Panel:
    """Who made, edited and activated it; nothing of what services did without staff."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(RuleSet), object_id=str(rule_set.pk)
    )
    rows = [
        (moment(entry.action_time), entry.user.get_username(), entry.get_change_message())
        for entry in entries.select_related("user").order_by("-action_time")[:NEWEST_CHANGES]
    ]
    return Panel(title="Who did what", headers=("Time", "Staff", "Change"), rows=rows)
