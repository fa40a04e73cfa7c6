"""What the admin of every resource shares: paging, exact search, read-only pages, panels.

Nothing here may grow with the table: no full count, no search and no sort without an index.
"""

import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from billing.admin.panels import Panel, minute
from billing.conf import conf
from billing.enums import Mode
from billing.models import BillingAccount, Customer

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound=Callable[..., object])
COUNT_LIMIT = 10_000
EMAIL_MATCHES = 100

if TYPE_CHECKING:  # unfold is untyped; its ModelAdmin is Django's with another look

    class UnfoldAdmin(admin.ModelAdmin[M]): ...

    RowPaginator = Paginator[Any]
else:
    from unfold.admin import ModelAdmin

    RowPaginator = Paginator

    class UnfoldAdmin(ModelAdmin, Generic[M]): ...


def column(
    description: str, *, boolean: bool | None = None, ordering: str | None = None
) -> Callable[[F], F]:
    """Head a computed column; `ordering` names the indexed field behind it."""
    decorate = display(description=description, boolean=boolean, ordering=ordering)
    return cast(Callable[[F], F], decorate)


def button(description: str, *, path: str, permission: str, icon: str) -> Callable[[F], F]:
    """Offer a view of its own above the page; it is refused to staff without `permission`."""
    decorate = action(description=description, url_path=path, permissions=[permission], icon=icon)
    return cast(Callable[[F], F], decorate)


def capped_count(queryset: QuerySet[Any], limit: int = COUNT_LIMIT) -> int:
    """Count rows, but never read more than `limit` + 1 of them."""
    return queryset.order_by()[: limit + 1].count()


class CappedPaginator(RowPaginator):
    """Pages over the first COUNT_LIMIT rows; older ones are reached by filter or search."""

    template_name = "admin/billing/pagination.html"

    @cached_property
    def _counted(self) -> int:
        return capped_count(cast("QuerySet[Any]", self.object_list))

    @property
    def is_capped(self) -> bool:
        return self._counted > COUNT_LIMIT

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNT_LIMIT)


class BillingAdmin(UnfoldAdmin[M], Generic[M]):
    """A list that stays fast at a million rows. Nobody deletes.

    `remote_ids` are fields that are unique together with provider and mode, `exact_fields` and
    `uuid_fields` have an index of their own; `list_defer` names the heavy columns that no list
    shows.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_disable_select_all = True
    compressed_fields = False
    ordering: ClassVar[tuple[str | Combinable, ...]] = ("-created_at", "-id")
    sortable_by: ClassVar[tuple[str, ...]] = ("created",)
    search_fields: ClassVar[tuple[str, ...]] = ("pk",)
    search_help_text = "Exact matches only: our id, a provider's id, an organization's id or e-mail"
    change_form_outer_after_template = "admin/billing/panels.html"
    remote_ids: tuple[str, ...] = ()
    exact_fields: tuple[str, ...] = ()
    uuid_fields: tuple[str, ...] = ()
    list_defer: tuple[str, ...] = ()

    @column("Created", ordering="created_at")
    def created(self, obj: Any) -> str:
        return minute(obj.created_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        queryset = super().get_queryset(request)
        match = request.resolver_match
        if self.list_defer and match and str(match.url_name).endswith("_changelist"):
            queryset = queryset.defer(*self.list_defer)
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Try one indexed lookup after the other; the first that finds something answers."""
        term = search_term.strip()
        if not term:
            return queryset, False
        for lookup in self.search_lookups(term):
            found = queryset.filter(lookup)
            if found.order_by().exists():
                return found, False
        return queryset.none(), False

    def search_lookups(self, term: str) -> Iterator[Q]:
        """Yield the lookups for `term`, each answered by an index."""
        if identifier := _as_uuid(term):
            for name in ("pk", *self.uuid_fields):
                yield Q(**{name: identifier})
        yield from self._organization_lookups(term)
        remote = Q(provider__in=list(conf.providers), mode__in=[mode.value for mode in Mode])
        for name in self.remote_ids:
            yield remote & Q(**{name: term})
        for name in self.exact_fields:
            yield Q(**{name: term})

    def _organization_lookups(self, term: str) -> Iterator[Q]:
        field = organization_field(self.model)
        if field is None:
            return
        try:
            yield Q(organization_id=field.target_field.to_python(term))
        except ValidationError:
            if "@" in term:
                yield Q(organization_id__in=_organizations_with_email(term))

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def panels(self, obj: M) -> list[Panel]:
        """What is shown below the form of `obj`."""
        return []

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        panels = self.panels(obj) if obj is not None else []
        context["panels"] = [panel for panel in panels if panel.is_shown]
        return super().render_change_form(request, context, add, change, form_url, obj)


class ReadOnlyAdmin(BillingAdmin[M], Generic[M]):
    """Rows that services write and nobody else: no add, no change, no delete, for superusers too.

    The change permission still matters: it lets staff see the rows and press their buttons.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return super().has_view_permission(request, obj) or may_change(request, self.model)


def may_change(request: HttpRequest, model: type[Model]) -> bool:
    """Whether staff may press the buttons of `model`, whose fields nobody edits."""
    return request.user.has_perm(f"{model._meta.app_label}.change_{model._meta.model_name}")


def organization_field(model: type[Model]) -> "ForeignKey[Any, Any] | None":
    """The field that names the organization, or None where rows belong to nobody."""
    try:
        return cast("ForeignKey[Any, Any]", model._meta.get_field("organization"))
    except FieldDoesNotExist:
        return None


def _organizations_with_email(email: str) -> list[object]:
    emails = {email, email.lower()}
    accounts = BillingAccount.objects.filter(email__in=emails)
    customers = Customer.objects.filter(email__in=emails)
    found: set[object] = set()
    for rows in (accounts, customers):
        found.update(rows.order_by().values_list("organization_id", flat=True)[:EMAIL_MATCHES])
    return list(found)


def _as_uuid(term: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(term)
    except ValueError:
        return None
