"""The short way for providers' deliveries."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from billing.webhooks.views import receive

_DELIVERY = re.compile(r"/webhooks/(?P<alias>[A-Za-z0-9_-]{1,40})/?")


class WebhookMiddleware:
    """Hands a delivery to its view at once, past what stands behind it in MIDDLEWARE.

    Sessions, languages, log-ins and forms are a browser's: they cost a tenth of a delivery and do
    nothing for it. What is to hold for deliveries too (security headers, host, request id) stands
    before this. Without it the URL leads to the same view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        delivery = _DELIVERY.fullmatch(request.path_info)
        return receive(request, delivery["alias"]) if delivery else self.get_response(request)
