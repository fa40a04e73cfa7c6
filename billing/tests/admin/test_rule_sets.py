"""Staff copy, edit, compare and activate routing rules; nobody changes what has decided."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import RuleSet
from billing.services import rule_sets

RULES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]
pytestmark = pytest.mark.django_db
BUTTONS = ("copy", "edit", "activate")
Staff = Callable[..., Client]


@pytest.fixture(autouse=True)
def configured(sandbox: Any, settings: Any) -> None:
    settings.BILLING_ROUTES = RULES
    settings.BILLING_DEFAULT_CURRENCY = "USD"


@pytest.fixture
def active() -> RuleSet:
    return rule_sets.ensure_active()


@pytest.fixture
def draft(active: RuleSet) -> RuleSet:
    return rule_sets.draft(active, note="Try it")


def page_of(rule_set: RuleSet, name: str = "change") -> str:
    address = reverse("admin:billing_ruleset_change", args=[rule_set.pk])
    return address.replace("/change/", f"/{name}/")


def shown(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def filled(rule_set: RuleSet, *rules: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What the browser posts: `rules` with what the form adds to them."""
    rows = rules or tuple(rule_set.rules)
    data: dict[str, Any] = {
        "note": rule_set.note,
        "seen_at": rule_set.updated_at.isoformat(),
        "rules-TOTAL_FORMS": len(rows),
        "rules-INITIAL_FORMS": len(rule_set.rules),
    }
    for index, rule in enumerate(rows):
        numbered = {"ORDER": 10 * (index + 1), **rule}
        data |= {f"rules-{index}-{name}": value for name, value in numbered.items()}
    return data | changed


def panel(response: Any, title: str) -> Any:
    return next(each for each in response.context["panels"] if each.title == title)


class TestPage:
    def test_tells_the_rules_in_words(self, active: RuleSet, admin_client: Client) -> None:
        page = admin_client.get(page_of(active))
        assert panel(page, "Rules, the first match wins").rows == [
            (1, "The country is MX", "conekta", "MXN"),
            (2, "It is a product purchase", "polar", "-"),
            (3, "Everything else", "stripe", "-"),
        ]

    def test_in_spanish_too(self, active: RuleSet, admin_client: Client) -> None:
        page = admin_client.get(page_of(active), headers={"accept-language": "es"})
        rows = panel(page, "Rules, the first match wins").rows
        assert [row[1] for row in rows] == [
            "El país es MX",
            "Es una compra de un producto",
            "Todo lo demás",
        ]

    def test_only_a_draft_can_be_edited_and_activated(
        self, active: RuleSet, draft: RuleSet, admin_client: Client
    ) -> None:
        for rule_set, offered in ((active, ["copy"]), (draft, list(BUTTONS))):
            page = shown(admin_client, page_of(rule_set))
            assert [name for name in BUTTONS if page_of(rule_set, name) in page] == offered

    def test_viewers_see_no_button_and_may_press_none(
        self, draft: RuleSet, staff_with: Staff
    ) -> None:
        viewer = staff_with("view_ruleset")
        page = shown(viewer, page_of(draft))
        before = RuleSet.objects.order_by("version").values_list()
        rows = list(before)
        for name in BUTTONS:
            assert page_of(draft, name) not in page
            assert viewer.get(page_of(draft, name)).status_code == 403
            assert viewer.post(page_of(draft, name), filled(draft)).status_code == 403
        assert list(before.all()) == rows

    def test_the_change_permission_is_enough(self, draft: RuleSet, staff_with: Staff) -> None:
        client = staff_with("change_ruleset")
        for name in BUTTONS:
            assert client.get(page_of(draft, name)).status_code == 200

    @pytest.mark.parametrize("name", BUTTONS)
    def test_no_such_version(self, name: str, draft: RuleSet, admin_client: Client) -> None:
        address = page_of(draft, name).replace(str(draft.pk), "nothing")
        assert admin_client.get(address).status_code == 404


class TestCopy:
    def test_asks_first_and_then_makes_a_draft(self, active: RuleSet, admin_client: Client) -> None:
        admin_client.get(page_of(active, "copy"))
        assert RuleSet.objects.count() == 1
        page = admin_client.post(page_of(active, "copy"), follow=True)
        made = RuleSet.objects.get(version=2)
        assert (made.rules, made.state, made.note) == (RULES, "draft", "Copy of version 1")
        assert page.redirect_chain == [(page_of(made), 302)]
        [(_, staff, change)] = panel(page, "Who did what").rows
        assert (staff, change) == ("admin", "Copied from version 1.")


class TestEdit:
    def test_nothing_changed_keeps_the_rules_as_they_are(
        self, draft: RuleSet, admin_client: Client
    ) -> None:
        page = admin_client.get(page_of(draft, "edit"))
        formset = page.context["formset"]
        posted = {
            bound.html_name: bound.value() for form in formset for bound in form if bound.value()
        }
        data = filled(draft, *[{} for _ in formset.forms]) | posted
        answer = admin_client.post(page_of(draft, "edit"), data)
        assert answer.status_code == 302
        draft.refresh_from_db()
        assert draft.rules == RULES

    def test_adds_orders_and_deletes(self, draft: RuleSet, admin_client: Client) -> None:
        mexico, products, rest = RULES
        germany = {
            "countries": ["AT", "DE"],
            "currencies": ["EUR"],
            "payment_methods": ["sepa_debit"],
            "transaction_types": ["subscription"],
            "provider": "stripe",
            "currency": "EUR",
        }
        data = filled(
            draft, mexico | {"ORDER": 25}, products | {"DELETE": "on"}, rest, germany | {"ORDER": 5}
        )
        page = admin_client.post(page_of(draft, "edit"), data, follow=True)
        assert "The rules of version 2 are saved." in page.content.decode()
        draft.refresh_from_db()
        assert draft.rules == [germany, mexico, rest]
        assert panel(page, "Who did what").rows[0][1:] == ("admin", "Rules edited.")

    def test_goes_on_editing(self, draft: RuleSet, admin_client: Client) -> None:
        address = page_of(draft, "edit")
        answer = admin_client.post(address, filled(draft, note="Why", _continue="1"))
        assert answer.headers["Location"] == address
        draft.refresh_from_db()
        assert draft.note == "Why"

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"countries": ["XX"]}, "countries"),
            ({"currencies": ["pesos"]}, "currencies"),
            ({"currency": "pesos"}, "currency"),
            ({"transaction_types": ["gift"]}, "transaction_types"),
            ({"payment_methods": ["cowries"]}, "payment_methods"),
            ({"provider": "nobody"}, "provider"),
            ({"provider": ""}, "provider"),
        ],
    )
    def test_only_known_words(
        self, wrong: dict[str, Any], field: str, draft: RuleSet, admin_client: Client
    ) -> None:
        data = filled(draft, RULES[0] | wrong, *RULES[1:])
        page = admin_client.post(page_of(draft, "edit"), data)
        assert list(page.context["formset"].errors[0]) == [field]
        draft.refresh_from_db()
        assert draft.rules == RULES

    def test_what_the_router_finds_wrong_is_told_at_its_rule(
        self, draft: RuleSet, admin_client: Client
    ) -> None:
        first, *others = RULES
        data = filled(draft, first | {"ORDER": 99}, *others)
        page = admin_client.post(page_of(draft, "edit"), data)
        errors = page.context["formset"].errors
        assert errors[0]["__all__"][0].startswith("It is the last one and must match everything")
        assert errors[1:] == [{}, {}]
        assert "must match everything" in page.content.decode()

    def test_no_rules_at_all(self, draft: RuleSet, admin_client: Client) -> None:
        data = filled(draft, *[rule | {"DELETE": "on"} for rule in RULES])
        page = admin_client.post(page_of(draft, "edit"), data).content.decode()
        assert "There are no rules." in page

    def test_an_alias_that_is_not_configured_stays_a_choice(
        self, draft: RuleSet, admin_client: Client
    ) -> None:
        rule_sets.edit(draft, [{"provider": "elsewhere"}], note="")
        draft.refresh_from_db()
        assert "elsewhere (not set up)" in shown(admin_client, page_of(draft, "edit"))
        assert admin_client.post(page_of(draft, "edit"), filled(draft)).status_code == 302

    def test_a_draft_that_changed_meanwhile_is_left_alone(
        self, draft: RuleSet, admin_client: Client
    ) -> None:
        data = filled(draft, {"provider": "polar"})
        rule_sets.edit(draft, [{"provider": "conekta"}], note="Theirs")
        page = admin_client.post(page_of(draft, "edit"), data).content.decode()
        assert "Somebody else has changed this draft." in page
        draft.refresh_from_db()
        assert (draft.rules, draft.note) == ([{"provider": "conekta"}], "Theirs")

    @pytest.mark.parametrize("seen_at", ["", "yesterday"])
    def test_says_from_which_state_it_starts(
        self, seen_at: str, draft: RuleSet, admin_client: Client
    ) -> None:
        data = filled(draft, {"provider": "polar"}, seen_at=seen_at)
        assert admin_client.post(page_of(draft, "edit"), data).status_code == 200
        draft.refresh_from_db()
        assert draft.rules == RULES

    def test_the_active_version_is_sent_back(self, active: RuleSet, admin_client: Client) -> None:
        page = admin_client.post(
            page_of(active, "edit"), filled(active, {"provider": "polar"}), follow=True
        )
        assert "Only a draft can be edited" in page.content.decode()
        active.refresh_from_db()
        assert active.rules == RULES


class TestActivate:
    @pytest.fixture
    def changed(self, draft: RuleSet) -> RuleSet:
        rules = [
            {"countries": ["US"], "provider": "polar"},
            {"transaction_types": ["product_purchase"], "provider": "stripe"},
            {"provider": "elsewhere"},
            {"provider": "stripe"},
        ]
        return rule_sets.edit(draft, rules, note="Other rules")

    def test_shows_the_differences_and_the_warnings(
        self, changed: RuleSet, admin_client: Client
    ) -> None:
        page = admin_client.get(page_of(changed, "activate"))
        assert [row[1:] for row in panel(page, "What changes").rows] == [
            ("The country is MX → conekta, in MXN", "The country is US → polar"),
            ("It is a product purchase → polar", "It is a product purchase → stripe"),
            ("-", "Everything else → elsewhere"),
            ("Everything else → stripe", "Everything else → stripe"),
        ]
        assert panel(page, "Look at this first").rows == [
            (3, "elsewhere is not set up here, so the rule is always skipped."),
            (
                4,
                "It decides only when the provider of rule 3 cannot: that rule matches all of it.",
            ),
        ]
        changed.refresh_from_db()
        assert changed.state == "draft"

    def test_activates_and_says_who(
        self, active: RuleSet, changed: RuleSet, admin_client: Client
    ) -> None:
        data = {"seen_at": changed.updated_at.isoformat()}
        page = admin_client.post(page_of(changed, "activate"), data, follow=True)
        assert "Version 2 decides from now on." in page.content.decode()
        assert panel(page, "Who did what").rows[0][1:] == ("admin", "Activated.")
        active.refresh_from_db()
        assert active.state == "retired"
        assert rule_sets.ensure_active() == changed

    def test_the_page_posts_what_it_showed(self, changed: RuleSet, admin_client: Client) -> None:
        seen_at = changed.updated_at.isoformat()
        assert f'value="{seen_at}"' in shown(admin_client, page_of(changed, "activate"))

    def test_not_what_somebody_else_has_changed_meanwhile(
        self, active: RuleSet, changed: RuleSet, admin_client: Client
    ) -> None:
        data = {"seen_at": changed.updated_at.isoformat()}
        rule_sets.edit(changed, [{"provider": "conekta"}], note="")
        page = admin_client.post(page_of(changed, "activate"), data, follow=True)
        assert "Somebody else has changed this draft." in page.content.decode()
        assert rule_sets.ensure_active() == active

    def test_not_unseen(self, active: RuleSet, changed: RuleSet, admin_client: Client) -> None:
        page = admin_client.post(page_of(changed, "activate"), {}, follow=True)
        assert "Read what changes" in page.content.decode()
        assert rule_sets.ensure_active() == active

    def test_not_twice(self, changed: RuleSet, admin_client: Client) -> None:
        rule_sets.activate(changed)
        changed.refresh_from_db()
        data = {"seen_at": changed.updated_at.isoformat()}
        page = admin_client.post(page_of(changed, "activate"), data, follow=True)
        assert "The current state does not allow this." in page.content.decode()


class TestList:
    def test_says_whether_a_version_has_decided_without_counting(
        self,
        rows: Callable[[int], dict[type, Any]],
        admin_client: Client,
        django_assert_num_queries: Any,
    ) -> None:
        used = rows(1)[RuleSet]
        unused = rule_sets.draft(used)
        address = reverse("admin:billing_ruleset_changelist")
        admin_client.get(address)
        with django_assert_num_queries(4):  # session, user, capped count, the rows
            page = admin_client.get(address)
        listed = {row.pk: row.has_decided for row in page.context["cl"].result_list}
        assert listed == {used.pk: True, unused.pk: False}

    def test_the_page_counts_no_further_than_it_says(
        self, rows: Callable[[int], dict[type, Any]], admin_client: Client
    ) -> None:
        page = admin_client.get(page_of(rows(1)[RuleSet]))
        assert panel(page, "Decisions made").text == "1"
