"""One API call: asked-for faults, the idempotency key, the effect and the recorded answer."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from typing import Any, TypeVar

from billing.errors import (
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    ProviderError,
    ProviderKeyConflict,
    ProviderObjectMissing,
    ProviderUnavailable,
)
from billing.providers.sandbox import clock, faults
from billing.providers.sandbox.store import Record, Session, Store, dumps

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write answered, now or when its key was first used."""

    body: Mapping[str, Any]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Calls:
    """Runs reads and writes on `store`; without `keeps_keys` idempotency keys are not looked at."""

    store: Store
    keeps_keys: bool = True

    def read(self, operation: Callable[[Session], T]) -> T:
        """Run a read on one snapshot of the file."""
        with self.store.read() as session:
            is_down = "answer_500" in faults.current(session)
        if is_down:
            self._fail_if_asked()
        with self.store.read() as session:
            return operation(session)

    def _fail_if_asked(self) -> None:
        with self.store.write() as session:
            is_down = faults.take(session, "answer_500")
        if is_down:
            raise ProviderUnavailable("answer_500", provider="sandbox")

    def write(
        self, verb: str, key: str, request: object, operation: Callable[[Session], Record]
    ) -> Answer:
        """Run a write once per key: a repeated key gets the recorded answer, errors included."""
        is_lost = False
        recorded: dict[str, Any] | None = None
        with self.store.write() as session:
            is_down = faults.take(session, "answer_500")
            if not is_down:
                recorded = self._once(session, key, fingerprint(verb, request), operation)
                is_lost = faults.take(session, "timeout_after_success")
        if recorded is None:
            raise ProviderUnavailable("answer_500", provider="sandbox")
        if is_lost:
            raise OutcomeUnknown("the answer was lost on its way", provider="sandbox")
        return _answer(recorded)

    def _once(
        self, session: Session, key: str, print_: str, operation: Callable[[Session], Record]
    ) -> dict[str, Any]:
        if not key or not self.keeps_keys:
            return _run(session, operation)
        row = session.connection.execute(
            "SELECT fingerprint, answer FROM keys WHERE namespace = ? AND key = ?",
            (session.namespace, key),
        ).fetchone()
        if row is None:
            recorded = _run(session, operation)
            values = (session.namespace, key, print_, dumps(recorded))
            session.connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", values)
            return recorded
        if row["fingerprint"] != print_:
            raise ProviderKeyConflict("this key was used for another request", provider="sandbox")
        answer: dict[str, Any] = json.loads(row["answer"])
        return answer


def fingerprint(verb: str, request: object) -> str:
    """Return what tells two requests with the same key apart."""
    text = json.dumps([verb, request], default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value) if isinstance(value, Mapping) else str(value)


def _run(session: Session, operation: Callable[[Session], Record]) -> dict[str, Any]:
    try:
        with session.savepoint():
            result = _effect(session, operation)
    except (InvalidRequest, ProviderObjectMissing) as exc:
        return {"error": exc.code, "message": exc.message, "param": getattr(exc, "param", "")}
    return result


def _effect(session: Session, operation: Callable[[Session], Record]) -> dict[str, Any]:
    # A decline is recorded beside its effects (a failed payment), other errors without any.
    try:
        record = operation(session)
    except PaymentDeclined as exc:
        return {"error": exc.code, "message": exc.message, "decline_code": exc.decline_code}
    return {"body": record.body, "as_of": session.now}


def _answer(recorded: Mapping[str, Any]) -> Answer:
    if "error" in recorded:
        raise _error(recorded)
    return Answer(recorded["body"], clock.moment(recorded["as_of"]))


def _error(recorded: Mapping[str, Any]) -> ProviderError:
    code, message = recorded["error"], recorded["message"]
    if code == PaymentDeclined.code:
        return PaymentDeclined(message, decline_code=recorded["decline_code"], provider="sandbox")
    if code == InvalidRequest.code:
        return InvalidRequest(message, param=recorded["param"], provider="sandbox")
    return ProviderObjectMissing(message, provider="sandbox")
