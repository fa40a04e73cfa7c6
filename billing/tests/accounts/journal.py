"""What an account tells its webhook endpoint: events out of what has changed, and their delivery.

    journal = Journal(account)
    ...                                                  # calls, and acts of others
    post(url, sign, shuffled(journal.take(customer_id)))

Nothing is delivered by itself: the test takes the events and posts them as it likes, or not at all.
"""

import copy
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from billing.tests.accounts.account import JSON, RemoteAccount

SENDERS = 4
# The headers that sign a body.
Sign = Callable[[bytes], dict[str, str]]


class EventJournal:
    """The account's events in order, each told once; `take` hands out those not taken yet.

    A provider's own says which events a change makes, how they look and whose they are.
    """

    def __init__(self, account: RemoteAccount) -> None:
        self.events = account.told
        self._account = account
        self._seen = copy.deepcopy(account.objects)
        self._taken: set[str] = set()
        account.watchers.append(self._look)

    def take(self, customer_id: str | None = None) -> list[JSON]:
        """The events that wait, in order: all, or those about one customer."""
        found = [each for each in self.events if each["id"] not in self._taken]
        if customer_id is not None:
            found = [each for each in found if self._owner(each) == customer_id]
        self._taken |= {each["id"] for each in found}
        return found

    def _types(self, found: JSON, before: JSON | None) -> Iterator[str]:
        """Which events the provider sends of this change of an object."""
        raise NotImplementedError

    def _event(self, event_type: str, found: JSON, before: JSON | None) -> JSON:
        raise NotImplementedError

    def _owner(self, event: JSON) -> str:
        """Whose object an event is about; "" for the account's own."""
        raise NotImplementedError

    def _look(self) -> None:
        for remote_id, found in list(self._account.objects.items()):
            before = self._seen.get(remote_id)
            if found == before:
                continue
            now = copy.deepcopy(found)
            self._seen[remote_id] = now
            for each in self._types(now, before):
                self.events.append(self._event(each, now, before))


def post(url: str, sign: Sign, events: Sequence[JSON]) -> Counter[str]:
    """Post the events one after the other, signed; count the answers' statuses by their word."""
    answers: Counter[str] = Counter()
    with requests.Session() as session:
        for event in events:
            body = json.dumps(event, indent=2).encode()
            headers = sign(body) | {"Content-Type": "application/json"}
            answer = session.post(url, data=body, headers=headers, timeout=20)
            assert answer.status_code == 200, answer.text
            answers[answer.json()["status"]] += 1
    return answers


def post_all(url: str, sign: Sign, queues: Sequence[Sequence[JSON]]) -> Counter[str]:
    """Post several queues side by side, as providers do."""
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = senders.map(post, itertools.repeat(url), itertools.repeat(sign), queues)
        return sum(answers, Counter())
