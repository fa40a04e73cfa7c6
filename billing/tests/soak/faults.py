"""The faults that `planted` plants: each takes one safeguard away, and names who must notice."""

from dataclasses import dataclass

_SERVICES = "billing/tests/services"
_ATTACKS = "billing/tests/attacks"
_API = "billing/tests/api"
_STRIPE = "billing/tests/providers/stripe/test_signatures.py::TestVerify"
_CONEKTA = "billing/tests/providers/conekta"
_CONEKTA_WRITES = "billing/tests/integration/test_conekta_writes.py"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """`text` stands exactly once in `file` and becomes `replacement`."""

    file: str
    text: str
    replacement: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`tests` are ids of pytest without parameters; each must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    needs_servers: bool = False


def fault(
    name: str, file: str, text: str, replacement: str, *tests: str, needs_servers: bool = False
) -> Fault:
    """A fault of one edit."""
    edit = Edit(file=file, text=text, replacement=replacement)
    return Fault(name=name, edits=(edit,), tests=tests, needs_servers=needs_servers)


_EVENT_ONCE = Fault(
    name="events: no unique constraint",
    edits=(
        Edit(
            file="billing/models/webhooks.py",
            text="""        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_event_id"], name="billing_event_once"
            )
        ]
""",
            replacement="        constraints = []\n",
        ),
        Edit(
            file="billing/migrations/0001_initial.py",
            text="[models.UniqueConstraint(fields=('provider', 'mode', 'provider_event_id'), "
            "name='billing_event_once')]",
            replacement="[]",
        ),
    ),
    tests=(
        f"{_SERVICES}/test_concurrency.py::TestTheSameEventFiftyTimesAtOnce"
        "::test_makes_one_row_and_has_one_effect",
        f"{_SERVICES}/test_prune.py::test_the_id_stays_and_keeps_the_event_from_coming_twice",
    ),
)
_EVENT_PER_PROVIDER = Fault(
    name="events: unique by id alone",
    edits=(
        Edit(
            file="billing/models/webhooks.py",
            text='fields=["provider", "mode", "provider_event_id"]',
            replacement='fields=["provider_event_id"]',
        ),
        Edit(
            file="billing/migrations/0001_initial.py",
            text="fields=('provider', 'mode', 'provider_event_id')",
            replacement="fields=('provider_event_id',)",
        ),
    ),
    tests=(f"{_ATTACKS}/test_ids.py::test_the_same_id_at_every_provider_is_an_event_each",),
)

_QUEUE = (
    fault(
        "queue: results written without the claim id",
        "billing/services/leases.py",
        """        pk__in=[row.pk for row in rows], claim_id=claim_id
    ).update(claimed_until=None""",
        """        pk__in=[row.pk for row in rows]
    ).update(claimed_until=None""",
        f"{_SERVICES}/test_leases.py::test_one_lease_lost_rolls_all_back",
        f"{_SERVICES}/test_concurrency.py::TestLeases"
        "::test_a_worker_that_outlives_its_lease_cannot_write",
    ),
    fault(
        "queue: a lost lease goes unseen",
        "billing/services/leases.py",
        "    if written != len(rows):\n",
        "    if written > len(rows):\n",
        f"{_SERVICES}/test_leases.py::test_one_lease_lost_rolls_all_back",
    ),
    fault(
        "queue: leases never run out",
        "billing/services/leases.py",
        "free = Q(claimed_until=None) | Q(claimed_until__lt=now)",
        "free = Q(claimed_until=None)",
        f"{_SERVICES}/test_leases.py::test_a_lease_that_ran_out_is_free",
        f"{_SERVICES}/test_concurrency.py::TestLeases::test_one_that_ran_out_is_taken_over",
    ),
    fault(
        "queue: no sweep",
        "project/settings.py",
        """    "drain-webhook-events": {
        "task": "billing.drain_webhook_events",
        "schedule": BILLING_SWEEP_SECONDS,
        "options": {"expires": 4 * BILLING_SWEEP_SECONDS},
    },
""",
        "",
        "billing/tests/test_tasks.py::TestSweep::test_it_finds_what_nobody_woke",
    ),
    fault(
        "queue: the sweep leaves what nobody woke",
        "billing/services/webhooks/drain.py",
        "WebhookEvent.objects.filter(state__in=DUE_STATES)",
        "WebhookEvent.objects.filter(state__in=DUE_STATES, attempts__gt=0)",
        "billing/tests/test_tasks.py::TestSweep::test_it_finds_what_nobody_woke",
    ),
    fault(
        "queue: poison never dies",
        "billing/services/webhooks/drain.py",
        "is_dead = attempts >= conf.max_attempts",
        "is_dead = False",
        f"{_SERVICES}/test_drain.py::TestPoison"
        "::test_is_dead_after_exactly_eight_tries_and_can_be_replayed",
    ),
    fault(
        "queue: what failed is not tried again",
        "billing/services/webhooks/drain.py",
        "WebhookEvent.objects.filter(state__in=DUE_STATES)",
        "WebhookEvent.objects.filter(state__in=DUE_STATES).exclude(state=WebhookState.FAILED)",
        f"{_SERVICES}/test_drain.py::TestPoison"
        "::test_is_dead_after_exactly_eight_tries_and_can_be_replayed",
    ),
)
_SYNC = (
    fault(
        "sync: an answer with an older stamp is dropped",
        "billing/services/sync/upsert.py",
        "if result.verdict in (Verdict.UNDECIDED, Verdict.SUPERSEDED):",
        "if result.verdict == Verdict.UNDECIDED:",
        f"{_SERVICES}/test_projection.py::TestAnswers"
        "::test_one_with_an_older_stamp_is_confirmed_not_lost",
    ),
    fault(
        "sync: no stamp rule",
        "billing/services/sync/projection.py",
        """    if stamp < version:
        return Verdict.SUPERSEDED
""",
        """    if stamp < version:
        return Verdict.APPLIED
""",
        f"{_SERVICES}/test_projection.py::TestDecide::test_of_a_subscription",
        f"{_SERVICES}/test_drain.py::TestStates::test_what_comes_late_changes_nothing",
    ),
    fault(
        "sync: the stamp is not kept",
        "billing/services/sync/projection.py",
        "row.provider_version = max(stamp for stamp in stamps if stamp)",
        "row.provider_version = row.provider_version",
        f"{_SERVICES}/test_projection.py::TestVersion::test_never_decreases",
        f"{_SERVICES}/test_drain.py::TestStates::test_what_comes_late_changes_nothing",
    ),
    fault(
        "sync: no rank of final states",
        "billing/services/sync/projection.py",
        "    if (old in kind.terminal) != (new in kind.terminal):\n",
        "    if False:\n",
        f"{_SERVICES}/test_projection.py::TestDecide::test_of_a_subscription",
    ),
    fault(
        "sync: what ended revives",
        "billing/services/sync/projection.py",
        "    if old_status in kind.terminal and new_status != old_status:\n",
        "    if False:\n",
        f"{_SERVICES}/test_drain.py::TestStates::test_a_canceled_one_never_revives",
    ),
    fault(
        "sync: no compare-and-set after a fetch",
        "billing/services/sync/projection.py",
        "    if snapshot.is_fetched and snapshot.seen_seq != (NO_ROW if is_new else row.sync_seq):",
        "    if False:",
        f"{_SERVICES}/test_projection.py::TestCompareAndSet"
        "::test_a_row_that_moved_since_the_look_is_fetched_again",
    ),
    fault(
        "sync: no row lock",
        "billing/services/sync/kinds/base.py",
        '_rows(model, condition).select_for_update(no_key=True).order_by("pk")',
        '_rows(model, condition).order_by("pk")',
        f"{_SERVICES}/test_concurrency.py::TestTwoWorkers"
        "::test_who_is_older_and_looks_while_the_newer_is_written_waits",
        needs_servers=True,
    ),
)
_RESYNC = (
    fault(
        "resync: what is equal is written too",
        "billing/services/resync/objects.py",
        """            if finding is None:
                outcome.counts[Count.EQUAL] += 1
""",
        """            if finding is None:
                outcome.counts[Count.EQUAL] += 1
                unequal.append(comparison)
""",
        f"{_SERVICES}/test_resync.py::TestAllWebhooksLost"
        "::test_a_second_pass_writes_nothing_but_how_far_it_is",
    ),
    fault(
        "resync: who lost the lease goes on",
        "billing/services/resync/journal.py",
        "if not mine.update(claimed_until=timezone.now() + conf.lease):",
        "if mine.update(claimed_until=timezone.now() + conf.lease) < 0:",
        f"{_SERVICES}/test_resync.py::TestBrokenOff::test_who_lost_the_lease_writes_no_page",
    ),
    fault(
        "resync: a killed run is begun anew",
        "billing/services/resync/journal.py",
        """        for page in run.pages.order_by("kind", "number"):
""",
        """        for page in run.pages.none():
""",
        f"{_SERVICES}/test_resync.py::TestBrokenOff::test_goes_on_where_it_was",
    ),
    fault(
        "resync: a customer of somebody else is adopted",
        "billing/services/resync/adoption.py",
        "    if data.reference and not (own and data.reference == str(own.pk)):\n",
        "    if False:\n",
        f"{_SERVICES}/test_resync.py::TestAdoption::test_takes_nothing_away_from_anybody",
    ),
)
_MONEY = (
    fault(
        "money: what a bank is asked for already is collected again",
        "billing/services/invoices.py",
        "        .exclude(payment_state=PaymentState.PROCESSING)\n",
        "",
        "billing/tests/integration/test_stripe_debits.py"
        "::test_what_is_under_way_is_not_collected_twice",
    ),
    fault(
        "keys: a setup session is opened under another",
        "billing/services/setup_sessions.py",
        "idempotency_key=operation.key,",
        'idempotency_key=operation.key + __import__("uuid").uuid4().hex,',
        f"{_SERVICES}/test_setup_sessions.py::TestOpen::test_a_lost_answer_is_found_by_repeating",
    ),
    fault(
        "keys: a creation is repeated under another",
        "billing/services/subscriptions.py",
        "_request(subscription), idempotency_key=operation.key",
        "_request(subscription), idempotency_key=operation.key + str(clock.now())",
        f"{_SERVICES}/test_subscriptions.py::TestKeys::test_a_creation_is_repeated_under_its_key",
    ),
    fault(
        "keys: a change is repeated under another",
        "billing/services/subscriptions.py",
        "call(idempotency_key=operation.key)",
        "call(idempotency_key=operation.key + str(clock.now()))",
        f"{_SERVICES}/test_subscriptions.py::TestKeys::test_a_change_is_repeated_under_its_key",
    ),
    fault(
        "keys: a request is not known again",
        "billing/services/operations.py",
        "    if not request_key:\n        return None\n",
        "    return None\n",
        f"{_SERVICES}/test_subscriptions.py::TestCreate"
        "::test_a_lost_answer_is_unknown_and_the_same_key_finds_it",
    ),
    fault(
        "keys: a lost answer counts as failed",
        "billing/services/operations.py",
        "settle(operation, OperationOutcome.UNKNOWN, error=exc)\n        raise\n",
        "settle(operation, OperationOutcome.FAILED, error=exc)\n        raise\n",
        f"{_SERVICES}/test_subscriptions.py::TestCreate"
        "::test_a_lost_answer_is_unknown_and_the_same_key_finds_it",
    ),
    fault(
        "stripe: a debit that takes days is told as refused",
        "billing/providers/stripe/webhooks.py",
        "return None if _leaves_open_how_it_went(data, event.type) else data",
        "return data",
        "billing/tests/providers/stripe/test_provider.py::TestWebhooks"
        "::test_an_invoice_that_was_tried_is_read",
    ),
    fault(
        "keys: our API forgets them",
        "billing/api/idempotency.py",
        "        if row.status == IdempotencyStatus.DONE:\n            return row\n",
        "",
        f"{_API}/test_idempotency.py::TestReplay::test_the_same_request_gets_the_same_answer",
    ),
    fault(
        "keys: who lost the lease keeps its answer",
        "billing/api/idempotency.py",
        "pk=lease.pk, status=IdempotencyStatus.RUNNING, locked_until=lease.until",
        "pk=lease.pk",
        f"{_API}/test_idempotency.py::TestLease::test_a_run_that_was_taken_over_keeps_no_answer",
    ),
    fault(
        "providers: called inside a transaction",
        "billing/registry.py",
        "    _ensure_no_transaction(name)\n",
        "",
        "billing/tests/test_registry.py::test_no_call_to_a_provider_inside_a_transaction",
    ),
)
_DOORS = (
    fault(
        "webhooks: nothing is verified",
        "billing/services/webhooks/intake.py",
        "        provider.verify_webhook_signature(body, headers)\n",
        "",
        f"{_ATTACKS}/test_signatures.py::test_a_forgery_leaves_nothing",
        f"{_SERVICES}/test_intake.py::test_what_was_not_signed_so_leaves_no_row",
    ),
    fault(
        "signatures of Stripe: any passes",
        "billing/providers/stripe/signatures.py",
        "if not any(matches) or abs(",
        "if abs(",
        f"{_STRIPE}::test_a_changed_body_is_refused",
        f"{_ATTACKS}/test_signatures.py::test_a_forgery_leaves_nothing",
    ),
    fault(
        "signatures of Stripe: at any time",
        "billing/providers/stripe/signatures.py",
        " or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS",
        "",
        f"{_STRIPE}::test_outside_the_window_is_refused",
        f"{_ATTACKS}/test_signatures.py::test_five_minutes_either_way",
    ),
    fault(
        "signatures of Stripe: from the future",
        "billing/providers/stripe/signatures.py",
        "abs(time.time() - int(stamp))",
        "time.time() - int(stamp)",
        f"{_STRIPE}::test_outside_the_window_is_refused",
        f"{_ATTACKS}/test_signatures.py::test_five_minutes_either_way",
    ),
    fault(
        "signatures of Conekta: any passes",
        "billing/providers/conekta/signatures.py",
        "    if not is_genuine:\n        raise _refusal()\n",
        "",
        f"{_CONEKTA}/test_signatures.py::TestRSA::test_another_body_is_refused",
        f"{_ATTACKS}/test_conekta_signatures.py::test_none_of_five_hundred_is_accepted",
    ),
    fault(
        "signatures of Conekta: a public key is a secret too",
        "billing/providers/conekta/signatures.py",
        '    return "BEGIN" not in secret and len(',
        "    return len(",
        f"{_CONEKTA}/test_signatures.py::TestHMAC::test_what_is_no_secret_signs_nothing",
    ),
    fault(
        "signatures of Conekta: both modes at once",
        "billing/providers/conekta/signatures.py",
        "if digest is None or bool(public_keys) == bool(secrets):",
        "if digest is None:",
        f"{_CONEKTA}/test_signatures.py::TestConfusion::test_with_both_nothing_passes",
        f"{_CONEKTA}/test_webhooks.py::TestVerify::test_no_mode_and_both_modes_verify_nothing",
    ),
    fault(
        "Conekta: a lost answer is a refusal",
        "billing/providers/http.py",
        "        if type(exc) in (ProviderError, Lost):\n",
        "        if type(exc) is ProviderError:\n",
        f"{_CONEKTA}/test_client.py::TestErrors::test_a_lost_answer",
        f"{_CONEKTA}/test_plans.py::TestCreatePlan"
        "::test_sent_again_after_a_lost_answer_it_is_there_once",
        "billing/tests/services/test_conekta.py::TestLostAnswers::test_a_subscription",
    ),
    fault(
        "Conekta: a key of the other mode writes",
        "billing/providers/conekta/client.py",
        "        self._refuse_a_key_of_another_mode()\n",
        "",
        f"{_CONEKTA}/test_client.py::TestMode::test_a_key_of_the_other_mode_writes_nothing",
    ),
    fault(
        "Conekta: a refused subscription goes on trying",
        "billing/providers/conekta/subscriptions.py",
        "            self._end(Ref(id=made.id, customer_id=request.customer_id))\n",
        "",
        f"{_CONEKTA}/test_subscriptions.py::TestCreate"
        "::test_declined_it_is_ended_lest_conekta_tries_again",
    ),
    fault(
        "Conekta: an order is sent without a look",
        "billing/providers/conekta/payments.py",
        "        found = self._order_made_for(reference)\n",
        "        found = None\n",
        f"{_CONEKTA}/test_payments.py::TestLostAnswers::test_an_order_is_made_once",
    ),
    fault(
        "Conekta: a further voucher is made without a look",
        "billing/providers/conekta/payments.py",
        "        if orders_mapping.charge_for(order.body, request.reference):\n",
        "        if False:\n",
        f"{_CONEKTA}/test_payments.py::TestLostAnswers::test_a_further_voucher_is_made_once",
    ),
    fault(
        "Conekta: another refund of the amount is taken for ours",
        "billing/providers/conekta/refunds.py",
        "remote_id(each) not in before and ",
        "",
        f"{_CONEKTA}/test_refunds.py::test_two_of_one_amount_are_two",
    ),
    fault(
        "Conekta: a key for each webhook",
        "billing/providers/conekta/endpoints.py",
        "        if not any(active):\n",
        "        if True:\n",
        f"{_CONEKTA}/test_endpoints.py::test_a_key_that_signs_already_is_told",
    ),
    fault(
        "Conekta: vouchers end with a day of Greenwich",
        "billing/providers/conekta/vouchers.py",
        "now.astimezone(MEXICO_CITY).date()",
        "now.date()",
        f"{_CONEKTA}/test_vouchers.py::test_the_end_of_the_third_day",
    ),
    fault(
        "lost refunds: one that is known is taken for ours",
        "billing/services/effects.py",
        "        and each.id not in known\n",
        "",
        f"{_CONEKTA_WRITES}::TestRefunds::test_one_of_staff_is_not_taken_for_ours",
    ),
    fault(
        "lost refunds: the webhook makes a row of its own",
        "billing/services/sync/kinds/refunds.py",
        "found | self._of_their_amount(provider, mode, unnamed, take) if unnamed else found",
        "found",
        f"{_CONEKTA_WRITES}::TestRefunds::test_a_webhook_that_is_quicker_than_the_look_up",
    ),
    fault(
        "lost creations: what was there before counts as made",
        "billing/services/effects.py",
        " or _is_another(data.id, subscription)",
        "",
        "billing/tests/services/test_conekta.py::TestLostAnswers"
        "::test_one_that_was_there_before_is_not_taken_for_it",
    ),
    fault(
        "signatures of the sandbox: any passes",
        "billing/providers/sandbox/signatures.py",
        '    raise InvalidSignature("no configured secret signed this delivery")\n',
        "",
        f"{_ATTACKS}/test_signatures.py::test_a_forgery_leaves_nothing",
        "billing/tests/providers/sandbox/test_deliveries.py::test_the_secret_rotates",
    ),
    fault(
        "metrics: for everybody",
        "billing/health.py",
        'if not constant_time_compare(request.headers.get("Authorization", ""), expected):',
        "if False:",
        "billing/tests/test_health.py::TestScrape::test_is_for_nobody_without_the_token",
        f"{_ATTACKS}/test_urls.py::test_a_stranger_enters_where_the_list_says_and_nowhere_else",
    ),
    fault(
        "cards: no check digit",
        "billing/cards.py",
        "if (running[last] - running[first]) % 10 or is_clabe(",
        "if is_clabe(",
        "billing/tests/test_cards.py::test_harmless",
    ),
    fault(
        "cards: stored as they come",
        "billing/services/webhooks/intake.py",
        "body=mask_json(body.decode())",
        "body=body.decode()",
        f"{_SERVICES}/test_intake.py::test_a_card_number_is_masked_before_it_is_stored",
    ),
    fault(
        "cards: the API takes them",
        "billing/api/middleware.py",
        "        return CardNumberRefused()\n",
        "        return None\n",
        f"{_API}/test_card_numbers.py::test_refused_and_found_nowhere",
    ),
)
_TENANCY = (
    fault(
        "tenancy: members see a setup session's secret",
        "billing/api/permissions.py",
        """return is_member and cast("OrganizationViewSet[Any]", view).tenant.may_write""",
        "return is_member",
        f"{_API}/test_setup_sessions.py::TestRead::test_a_members_eyes_see_no_secret",
        f"{_ATTACKS}/test_tenancy.py::test_each_answer_is_the_one_in_the_table",
    ),
    fault(
        "tenancy: another customer's setup session",
        "billing/services/setup_sessions.py",
        "    if data.customer_id != session.ref.customer_id:\n",
        "    if False:\n",
        f"{_SERVICES}/test_setup_sessions.py::TestRead::test_another_customers_session_is_missing",
    ),
    fault(
        "tenancy: rows of everybody",
        "billing/api/viewsets/base.py",
        "self.rows().for_organization(self.tenant.organization)",
        "self.rows().in_mode()",
        f"{_API}/test_access.py::test_foreign_and_unknown_ids_answer_alike",
        f"{_API}/test_access.py::test_foreign_rows_are_in_no_list",
        f"{_ATTACKS}/test_tenancy.py::test_each_answer_is_the_one_in_the_table",
        f"{_ATTACKS}/test_tenancy.py::test_foreign_and_unknown_ids_answer_alike",
    ),
    fault(
        "tenancy: the path may name any organization's object",
        "billing/api/viewsets/base.py",
        '.filter(pk=self.kwargs["id"], organization__in=organizations)',
        '.filter(pk=self.kwargs["id"])',
        f"{_ATTACKS}/test_tenancy.py"
        "::test_who_has_several_organizations_reaches_no_other_by_an_objects_id",
    ),
    fault(
        "tenancy: anybody's payment method",
        "billing/api/serializers/subscriptions.py",
        """PaymentMethod.objects.for_organization(self.context["organization"])
            .attached()""",
        "PaymentMethod.objects.attached()",
        f"{_API}/test_resources.py::TestSubscribing::test_a_foreign_method_does_not_exist",
    ),
    fault(
        "tenancy: members write",
        "billing/api/permissions.py",
        "return request.method in SAFE_METHODS or target.tenant.may_write",
        "return True",
        f"{_API}/test_access.py::test_each_path_and_verb_answers_each_caller",
        f"{_ATTACKS}/test_tenancy.py::test_each_answer_is_the_one_in_the_table",
    ),
    fault(
        "API: unknown fields are passed over",
        "billing/api/serializers/base.py",
        "            self._refuse_unknown(data)\n",
        "            pass\n",
        f"{_ATTACKS}/test_mass_assignment.py::test_no_field_that_is_not_the_clients",
    ),
    fault(
        "API: sessions without CSRF token",
        "billing/api/viewsets/base.py",
        "    metadata_class = None\n",
        """    metadata_class = None

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request._dont_enforce_csrf_checks = True
        return super().initialize_request(request, *args, **kwargs)
""",
        f"{_ATTACKS}/test_mass_assignment.py::test_no_session_writes_without_its_csrf_token",
        f"{_API}/test_access.py::test_a_session_needs_its_csrf_token",
    ),
    fault(
        "throttle: looks, then counts",
        "billing/api/throttling.py",
        "    if not limiter.hit(item, *names):\n",
        """    is_free = limiter.test(item, *names)
    time.sleep(0.02)
    limiter.hit(item, *names)
    if not is_free:
""",
        f"{_ATTACKS}/test_throttles.py::test_fifty_at_once_at_a_real_server",
        needs_servers=True,
    ),
)
_RACES_FILE = "billing/tests/soak/test_races.py"
_RECONCILE = f"{_SERVICES}/test_reconcile.py"
_SLOT_ONCE = Fault(
    name="subscribe: no unique slot",
    edits=(
        Edit(
            file="billing/models/subscriptions.py",
            text='fields=["organization", "mode", "slot"]',
            replacement='fields=["organization", "mode", "slot", "id"]',
        ),
        Edit(
            file="billing/migrations/0001_initial.py",
            text="fields=('organization', 'mode', 'slot')",
            replacement="fields=('organization', 'mode', 'slot', 'id')",
        ),
    ),
    tests=("billing/tests/models/test_first_design.py::test_one_live_subscription_per_slot",),
)
_REQUEST_ONCE = Fault(
    name="operations: not unique by request",
    edits=(
        Edit(
            file="billing/models/operations.py",
            text='fields=["organization", "request_key", "verb", "step"]',
            replacement='fields=["organization", "request_key", "verb", "step", "id"]',
        ),
        Edit(
            file="billing/migrations/0001_initial.py",
            text="fields=('organization', 'request_key', 'verb', 'step')",
            replacement="fields=('organization', 'request_key', 'verb', 'step', 'id')",
        ),
    ),
    tests=(
        f"{_RACES_FILE}::test_two_runs_of_one_request",
        f"{_SERVICES}/test_operations.py"
        "::test_with_keys_the_second_sends_under_the_key_of_the_first",
    ),
    needs_servers=True,
)
_RACES = (
    _SLOT_ONCE,
    _REQUEST_ONCE,
    fault(
        "operations: who comes second sends as well",
        "billing/services/operations.py",
        "        found = repeatable(find(subject.organization, verb, request_key, step=step))\n",
        "        found = find(subject.organization, verb, request_key, step=step)\n",
        f"{_SERVICES}/test_operations.py::TestWithoutKeys"
        "::test_the_second_does_not_send_what_may_be_on_its_way",
        f"{_SERVICES}/test_operations.py::TestWithoutKeys"
        "::test_the_second_answers_with_what_the_first_has_made",
    ),
    fault(
        "commands: who was overtaken hears the provider",
        "billing/services/subscriptions.py",
        "        _ensure_not_overtaken(subscription, verb)\n",
        "        pass\n",
        f"{_SERVICES}/test_subscriptions.py::TestOvertaken"
        "::test_a_change_is_a_conflict_as_for_one_that_is_known_to_have_ended",
    ),
    fault(
        "subscribe: no lock on the organization",
        "billing/services/subscriptions.py",
        "        _lock(organization)\n",
        "",
        f"{_RACES_FILE}::test_two_subscribes",
        needs_servers=True,
    ),
    fault(
        "customer: claimed without a lock",
        "billing/services/customers.py",
        "        Customer.objects.select_for_update().get(pk=customer.pk)\n",
        "",
        f"{_RACES_FILE}::test_two_first_subscribes_make_one_remote_customer",
        needs_servers=True,
    ),
    fault(
        "answers: any body under a key",
        "billing/api/idempotency.py",
        "        if row.fingerprint != fingerprint:",
        "        if False:",
        f"{_RACES_FILE}::test_two_bodies_under_one_key",
        needs_servers=True,
    ),
    fault(
        "operations: repeated where no keys are kept",
        "billing/services/operations.py",
        "    if operation is None or operation.is_done or can_repeat(operation):\n",
        "    if True:\n",
        f"{_RECONCILE}::TestMethods::test_a_repeated_request_adds_it_once",
    ),
    fault(
        "operations: a repetition that does not arrive ends it",
        "billing/services/operations.py",
        "        if isinstance(exc, _NOT_ASKED) and not operation.was_reserved_now:\n",
        "        if False:\n",
        f"{_RECONCILE}::TestCreations"
        "::test_a_repetition_that_does_not_arrive_does_not_undo_the_first",
    ),
    fault(
        "operations: what is not seen yet has failed",
        "billing/services/operations.py",
        "    if operation.created_at > timezone.now() - conf.idempotency_lease:\n",
        "    if False:\n",
        f"{_RECONCILE}::TestCreations::test_without_keys_a_repetition_at_once_waits",
    ),
)
_REFUNDS = f"{_SERVICES}/test_refunds.py"
_RETURNED = (
    fault(
        "refunds: reserved without a lock",
        "billing/services/refunds.py",
        "Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)",
        "Payment.objects.get(pk=payment.pk)",
        f"{_REFUNDS}::TestSideBySide::test_two_at_once_do_not_share_what_is_left",
        needs_servers=True,
    ),
    fault(
        "refunds: what is open is left",
        "billing/services/refunds.py",
        "payment.refunds.lasting()",
        "payment.refunds.made()",
        f"{_REFUNDS}::TestLostAnswers::test_what_is_open_is_not_left",
    ),
    fault(
        "refunds: one that never arrived stays open",
        "billing/services/reconcile.py",
        "    refunds.CREATE: refunds.settle_creation,\n",
        "",
        f"{_REFUNDS}::TestLostAnswers::test_it_never_arrived",
    ),
    fault(
        "refunds: one that was given up hides the provider's",
        "billing/services/sync/kinds/refunds.py",
        "            if row.provider_refund_id or row.status not in self.terminal\n",
        "",
        f"{_REFUNDS}::TestLostAnswers::test_it_was_given_up_and_had_been_made",
    ),
    fault(
        "sync: nothing is summed up",
        "billing/services/sync/projection.py",
        "    kind.follow([result.row for result in results if result.is_written])\n",
        "",
        f"{_REFUNDS}::TestCreate::test_a_part_and_then_the_rest",
        f"{_REFUNDS}::TestMirror::test_a_refund_made_elsewhere",
    ),
    fault(
        "sync: a payment is summed up without its lock",
        "billing/services/sync/returned.py",
        '    return list(rows.select_for_update(no_key=True).order_by("pk"))\n',
        "    return list(rows)\n",
        f"{_REFUNDS}::TestSideBySide::test_all_that_is_written_at_once_is_counted",
        needs_servers=True,
    ),
    fault(
        "sync: a link brings no sums to its invoice",
        "billing/services/sync/links.py",
        "then=sum_up, ",
        "",
        "billing/tests/integration/test_stripe_life.py::test_every_order_ends_alike",
    ),
    fault(
        "sync: an invoice forgets what has gone back",
        "billing/services/sync/kinds/invoices.py",
        "    return returned.state_of_paid(\n"
        "        data.amount_paid_minor, row.refunded_minor, row.charged_back_minor\n"
        "    )\n",
        "    return told\n",
        f"{_SERVICES}/test_kinds.py::TestInvoice::test_a_paid_one_says_what_has_gone_back",
        f"{_SERVICES}/test_orders.py::test_every_order_ends_in_the_same_state",
    ),
)
FAULTS = (
    _EVENT_ONCE,
    _EVENT_PER_PROVIDER,
    *_QUEUE,
    *_SYNC,
    *_RESYNC,
    *_MONEY,
    *_RACES,
    *_RETURNED,
    *_DOORS,
    *_TENANCY,
)
