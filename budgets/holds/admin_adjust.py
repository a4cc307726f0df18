"""The page on which a refund, credit or correction of a call is booked, once it is confirmed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from budgets.core.errors import DomainError
from budgets.core.money import usd_text
from budgets.holds.forms import AdjustmentForm
from budgets.holds.models import JournalEntry
from budgets.holds.operations import Adjustment, adjust
from budgets.http.admin import form_page


class AdjustingAdmin:
    """Mixed into the journal's admin. Who may add journal entries may adjust."""

    def get_urls(self: Any) -> list[Any]:
        """Add the address of the page."""
        view = self.admin_site.admin_view(self.adjust_view)
        own = path("<path:object_id>/adjust/", view, name="budgets_journalentry_adjust")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self: Any, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Lead to the page from each entry."""
        context["may_adjust"] = _may_adjust(request)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc,no-any-return]

    def adjust_view(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what to book, show what it will do, and book it."""
        if not _may_adjust(request):
            raise PermissionDenied
        entry: JournalEntry | None = self.get_object(request, unquote(object_id))
        if entry is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        form = AdjustmentForm(request.POST or None, entries=_entries(entry))
        is_ready = form.is_valid()
        if is_ready and form.cleaned_data["confirmed"] and _booked(request, entry, form):
            self.message_user(request, "Booked.", messages.SUCCESS)
            return HttpResponseRedirect(
                reverse("admin:budgets_journalentry_change", args=(entry.pk,))
            )
        return _page(self, request, entry, form, is_ready=form.is_valid())


def _may_adjust(request: Any) -> bool:
    return bool(request.user.has_perm("budgets.add_journalentry"))


def _entries(entry: JournalEntry) -> int:
    of_call = JournalEntry.objects.for_organization(entry.organization)
    return of_call.filter(request_id=entry.request_id).count()


def _booked(request: Any, entry: JournalEntry, form: AdjustmentForm) -> bool:
    """Book it; or tell in the form why not."""
    wanted = form.cleaned_data
    adjustment = Adjustment(
        organization=entry.organization,
        request_id=entry.request_id,
        kind=wanted["kind"],
        amount_usd=wanted["amount_usd"],
        reason=wanted["reason"],
        actor=request.user,
    )
    try:
        adjust(adjustment=adjustment)
    except DomainError as error:
        form.add_error(None, error.message)
        return False
    return True


def _page(
    page: Any, request: HttpRequest, entry: JournalEntry, form: AdjustmentForm, *, is_ready: bool
) -> HttpResponse:
    """Ask for the adjustment, or whether it is meant."""
    explanation = [
        f"Call {entry.request_id} of {entry.organization}, {entry.model}. What was booked stays; "
        "this adds an entry to the same windows."
    ]
    if is_ready:
        wanted = form.cleaned_data
        explanation.append(
            f"Book a {wanted['kind']} of {usd_text(wanted['amount_usd'])} USD: {wanted['reason']}"
        )
        again = {name: form[name].value() for name in form.fields} | {"confirmed": "on"}
        form = AdjustmentForm(initial=again, entries=form.entries)
        for field in form.fields.values():
            field.widget = field.hidden_widget()
    return form_page(
        request=request,
        page=page,
        row=entry,
        form=form,
        title="Book this adjustment?" if is_ready else "Adjust a call",
        verb="Yes, book it" if is_ready else "Adjust",
        explanation=explanation,
    )
