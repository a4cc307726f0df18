"""API keys in the admin. A key's secret is on the page that answers its making, and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html

from budgets.core.clock import now
from budgets.history.admin import HistoryAdmin
from budgets.http.admin import KeptAdmin, confirmation, form_page, save_changed
from budgets.http.cells import day, instant
from budgets.tenancy.forms import CALL_RULES, KeyForm, NewKeyForm, RotationForm
from budgets.tenancy.keys import id_in
from budgets.tenancy.models import ApiKey
from budgets.tenancy.operations import create_key, rotate_key, set_key_status
from budgets.tenancy.search import OrganizationFilter

LONG_UNUSED = timedelta(days=90)
SOON = timedelta(days=30)


class UnusedFilter(admin.SimpleListFilter):
    """Finds keys that nobody seems to need."""

    title = "last used"
    parameter_name = "unused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer two grades of disuse."""
        return [("never", "Never"), ("long", f"Not for {LONG_UNUSED.days} days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the keys that were not used."""
        if self.value() == "never":
            return queryset.filter(last_used_at=None)
        if self.value() == "long":
            return queryset.filter(last_used_at__lt=now() - LONG_UNUSED)
        return queryset


class ExpiryFilter(admin.SimpleListFilter):
    """Finds keys that have ended or are about to."""

    title = "expiry"
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer ended, ending and unending keys."""
        return [("past", "Expired"), ("soon", f"Within {SOON.days} days"), ("none", "Never")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the keys of the chosen kind."""
        at = now()
        if self.value() == "past":
            return queryset.filter(expires_at__lte=at)
        if self.value() == "soon":
            return queryset.filter(expires_at__gt=at, expires_at__lte=at + SOON)
        return queryset.filter(expires_at=None) if self.value() == "none" else queryset


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """What applications call with: for whom, in which project, until when."""

    list_display = (
        "name",
        "short_key",
        "status",
        "project",
        "user",
        "used_on",
        "expires_on",
    )
    list_filter = ("status", UnusedFilter, ExpiryFilter, OrganizationFilter)
    list_select_related = ("project__organization", "user")
    list_per_page = 50
    search_fields = (
        "name",
        "lookup_id",
        "user__email",
        "organization__name",
        "organization__slug",
        "project__name",
    )
    search_help_text = "Name, id in the key, user's e-mail address, organization or project."
    ordering = ("-pk",)
    autocomplete_fields = ("project", "user")
    actions = ["suspend", "resume", "revoke"]
    fields = (
        "name",
        "status",
        "key",
        "organization",
        "project",
        "user",
        "expires_at",
        *CALL_RULES,
        "created",
        "used",
        "overlap",
    )
    add_fields = (("project", "user"), "name", "expires_at", *CALL_RULES)

    def get_form(
        self,
        request: HttpRequest,
        obj: ApiKey | None = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> Any:
        """Ask whose a key is only when it is made."""
        return super().get_form(
            request, obj, change, **({"form": KeyForm if obj else NewKeyForm} | kwargs)
        )

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """Show what is known of a key, or ask for what a new one needs."""
        return ((None, {"fields": self.fields if obj else self.add_fields}),)

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> tuple[str, ...]:
        """Keep whose a key is."""
        return (
            ("key", "organization", "project", "user", "created", "used", "overlap") if obj else ()
        )

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer no way past the page that shows the key."""
        only_save = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, *args, **(kwargs | {"extra_context": only_save}))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a key by what somebody pasted of it, too."""
        term = search_term.strip()
        is_key = term.startswith("cs_live_")
        return super().get_search_results(request, queryset, id_in(term) if is_key else term)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Make a key, or do with it what its form asks for."""
        if not change:
            wanted = form.cleaned_data
            made, obj.text = create_key(
                project=wanted["project"],
                user=wanted["user"],
                name=wanted["name"],
                expires_at=wanted["expires_at"],
                rules={name: wanted[name] for name in CALL_RULES},
            )
            obj.pk = made.pk
            obj.refresh_from_db()
            return
        if "status" in form.changed_data:
            set_key_status(key=obj, status=obj.status)
        save_changed(row=obj, form=form, but=("status",))

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Answer with the key itself: it is stored nowhere, so this is the only time."""
        return self._secret_page(request, key=obj, text=obj.text, title=f"New API key: {obj.name}")

    def _secret_page(
        self, request: HttpRequest, *, key: ApiKey, text: str, title: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "key": key,
            "text": text,
            "base_url": settings.COSTSITE_BASE_URL,
            "model": next((name for name in key.allowed_models if "*" not in name), None),
        }
        return TemplateResponse(request, "admin/budgets/apikey/secret.html", context)

    def get_urls(self) -> list[Any]:
        """Add the address where a key is rotated."""
        view = self.admin_site.admin_view(self.rotate_view)
        own = path("<path:object_id>/rotate/", view, name="budgets_apikey_rotate")
        return [own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Lead to where a key is rotated."""
        key = kwargs.get("obj")
        context["may_rotate"] = key is not None and self._may_rotate(request, key)
        return super().render_change_form(request, context, *args, **kwargs)

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for how long the secret before works, and answer with the new key."""
        key: ApiKey | None = self.get_object(request, unquote(object_id))
        if key is None or not self._may_rotate(request, key):
            raise PermissionDenied
        form = RotationForm(request.POST or None)
        if form.is_valid():
            overlap = timedelta(hours=form.cleaned_data["overlap_hours"])
            text = rotate_key(key=key, overlap=overlap, now=now())
            self.log_change(request, key, f"Rotated, {overlap} of overlap.")
            return self._secret_page(
                request, key=key, text=text, title=f"New secret of the API key: {key.name}"
            )
        return form_page(
            request=request,
            page=self,
            row=key,
            form=form,
            title=f"Rotate {key.name}?",
            verb="Rotate",
            explanation=[
                "The key gets a new secret and stays the same key: its budgets and its history "
                "go on. A secret from an earlier rotation stops at once."
            ],
        )

    def _may_rotate(self, request: HttpRequest, key: ApiKey) -> bool:
        is_revoked = key.status == ApiKey.Status.REVOKED
        return not is_revoked and self.has_change_permission(request, key)

    @admin.action(description="Suspend", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Suspend the chosen keys."""
        self._set_status(request, queryset, ApiKey.Status.SUSPENDED)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Let the chosen keys be used again."""
        self._set_status(request, queryset, ApiKey.Status.ACTIVE)

    @admin.action(description="Revoke for good", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> TemplateResponse | None:
        """End the chosen keys, once it is confirmed."""
        question = "Revoke these keys? They can never be used again."
        asked = confirmation(
            request=request, page=self, rows=queryset, action="revoke", question=question
        )
        if asked is None:
            self._set_status(request, queryset, ApiKey.Status.REVOKED)
        return asked

    def _set_status(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], status: ApiKey.Status
    ) -> None:
        keys = list(queryset.exclude(status__in=(status, ApiKey.Status.REVOKED)))
        for key in keys:
            set_key_status(key=key, status=status)
            self.log_change(request, key, f"Set to {status.label.lower()}.")
        message = f"{len(keys)} set to {status.label.lower()}."
        if len(keys) < queryset.count():
            message += " The others were so already, or are revoked."
        self.message_user(request, message, messages.SUCCESS)

    @admin.display(description="key", ordering="lookup_id")
    def short_key(self, row: ApiKey) -> str:
        """Show of it what tells it from others; all that may be shown is in the title."""
        # The word joiners keep it on one line.
        short = f"{row.lookup_id}\u2060…\u2060{row.last_four}"
        return format_html('<code title="{}">{}</code>', row.masked, short)

    @admin.display(description="key")
    def key(self, row: ApiKey) -> str:
        """Show what may be shown of it."""
        return row.masked

    @admin.display(description="last used (UTC)", ordering="last_used_at")
    def used(self, row: ApiKey) -> str:
        """Write when it was last used."""
        return instant(row.last_used_at)

    @admin.display(description="last used", ordering="last_used_at")
    def used_on(self, row: ApiKey) -> str:
        """Write the day on which it was last used."""
        return day(row.last_used_at)

    @admin.display(description="expires", ordering="expires_at")
    def expires_on(self, row: ApiKey) -> str:
        """Write the day on which it ends; a dash if it does not."""
        return day(row.expires_at)

    @admin.display(description="secret before works until (UTC)")
    def overlap(self, row: ApiKey) -> str:
        """Write until when the secret before the last rotation works; a dash without one."""
        return instant(row.previous_expires_at)

    @admin.display(description="made (UTC)")
    def created(self, row: ApiKey) -> str:
        """Write when it was made."""
        return instant(row.created_at)
