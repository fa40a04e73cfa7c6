"""Setup sessions: a payment method that the customer adds in the browser.

The browser's part is `confirm` (the customer gives a card or bank account, here a magic token) and
`complete` (passes the bank's check, tells the micro-deposits).
"""

from collections.abc import Collection

from billing.enums import MandateStatus, NextActionType, SetupStatus
from billing.errors import InvalidRequest
from billing.providers.base import SetsUpPaymentMethods
from billing.providers.sandbox import clock, customers, mapping, tokens
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.tokens import DEBITS, Behaviour, Charge
from billing.providers.types import PaymentMethodRequest, Ref, SetupRequest, SetupSessionData

_REUSABLE = ("card", *DEBITS)
_TAKES_A_METHOD = frozenset({SetupStatus.OPEN, SetupStatus.FAILED})


class Setup(SandboxBackend, SetsUpPaymentMethods):
    def create_setup_session(
        self, request: SetupRequest, *, idempotency_key: str
    ) -> SetupSessionData:
        answer = self._calls.write(
            "create_setup_session",
            idempotency_key,
            request,
            lambda session: create(session, request, self.features.methods),
        )
        return mapping.setup_session(answer.body, answer.as_of)

    def get_setup_session(self, session: Ref) -> SetupSessionData:
        return mapping.setup_session(*self._get("setup_session", session))

    def confirm_setup(self, session: Ref, token: str) -> SetupSessionData:
        """What the browser does with the session's client secret and a magic token."""
        with self._store.write() as stored:
            record = confirm(stored, session.id, token)
            return mapping.setup_session(record.body, clock.moment(stored.now))

    def complete_setup(self, session: Ref) -> SetupSessionData:
        """Pass the bank's check, or tell the micro-deposits."""
        with self._store.write() as stored:
            record = complete(stored, session.id)
            return mapping.setup_session(record.body, clock.moment(stored.now))


def create(session: Session, request: SetupRequest, offered: Collection[str]) -> Record:
    """Open a session for the methods named, or for all `offered` ones that can be kept."""
    usable = [each for each in offered if each in _REUSABLE]
    unknown = [each for each in request.methods if each not in usable]
    if unknown:
        raise InvalidRequest(f"{unknown[0]!r} cannot be set up here", param="methods")
    customers.live(session, request.customer_id)
    session_id = session.new_id("setup")
    secret = f"{session.new_id(session_id)}_secret"
    body = {
        "object": "setup_session",
        "id": session_id,
        "created": session.now,
        "customer": request.customer_id,
        "methods": list(request.methods or usable),
        "status": SetupStatus.OPEN,
        "client_secret": secret,
        "payment_method": None,
        "next_action": _use_sdk(secret),
        "mandate": None,
        "mandate_status": None,
        "decline_code": "",
        "reference": request.reference or None,
    }
    return session.save(Record("setup_session", session_id, body))


def confirm(session: Session, session_id: str, token: str) -> Record:
    """Give the session what the customer typed. It is attached at once, or once the customer has
    done what `next_action` says, or it is refused and the session takes another."""
    found = session.require("setup_session", session_id)
    behaviour = tokens.behaviour(token)
    if found.body["status"] not in _TAKES_A_METHOD:
        raise InvalidRequest(f"the session is {found.body['status']}", param="session")
    if behaviour.type not in found.body["methods"]:
        raise InvalidRequest(f"the session takes no {behaviour.type}", param="token")
    found.hidden["token"] = token
    if not behaviour.attaches:
        return _refuse(session, found, behaviour)
    if behaviour.type in DEBITS:
        mandate = found.body["mandate"] or session.new_id("mandate")
        found.body.update(mandate=mandate, mandate_status=MandateStatus.PENDING)
    if behaviour.is_verified and behaviour.first is not Charge.REQUIRES_ACTION:
        return _succeed(session, found)
    url = f"https://sandbox.invalid/setup/{found.id}"
    action = {"type": NextActionType.REDIRECT, "details": {"url": url}}
    found.body.update(status=SetupStatus.REQUIRES_ACTION, next_action=action, decline_code="")
    return session.save(found)


def complete(session: Session, session_id: str) -> Record:
    """Do what the customer was asked to do."""
    found = session.require("setup_session", session_id)
    if found.body["status"] != SetupStatus.REQUIRES_ACTION:
        raise InvalidRequest("the session waits for nothing", param="session")
    return _succeed(session, found)


def _succeed(session: Session, found: Record) -> Record:
    request = PaymentMethodRequest(token=found.hidden["token"])
    method = customers.attach(session, found.body["customer"], request)
    # The bank has checked its customer now: charges do what later ones do.
    method.hidden["charges"] = 1
    session.save(method)
    found.body.update(
        status=SetupStatus.SUCCEEDED, payment_method=method.id, next_action=None, decline_code=""
    )
    if found.body["mandate"]:
        found.body["mandate_status"] = MandateStatus.ACTIVE
    return session.save(found)


def _refuse(session: Session, found: Record, behaviour: Behaviour) -> Record:
    found.body.update(
        status=SetupStatus.FAILED,
        decline_code=behaviour.decline_code,
        next_action=_use_sdk(found.body["client_secret"]),
    )
    return session.save(found)


def _use_sdk(secret: str) -> dict[str, object]:
    details = {"client_secret": secret, "intent": "setup"}
    return {"type": NextActionType.USE_SDK, "details": details}
