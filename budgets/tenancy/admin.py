"""Tenants, their members and projects in the admin. Every change is an operation."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.response import TemplateResponse

from budgets.core.clock import now
from budgets.history.admin import HistoryAdmin
from budgets.holds.operations import change_member_plan, change_plan, change_time_zone
from budgets.http.admin import KeptAdmin, confirmation, save_changed
from budgets.http.cells import instant, list_link, share, table, usd
from budgets.limits.admin import OrganizationBudgetInline, put_budgets
from budgets.limits.models import Balance, Budget
from budgets.limits.queries import current_balances
from budgets.limits.words import name_subjects
from budgets.tenancy.forms import MembershipForm, NewOrganizationForm, OrganizationForm
from budgets.tenancy.models import ApiKey, Membership, Organization, Project
from budgets.tenancy.operations import (
    add_member,
    create_organization,
    remove_member,
    set_archived,
    set_organization_status,
)
from budgets.tenancy.search import OrganizationFilter

# More rows than this would make a page that is slow to read and too large to send.
MOST_INLINE = 50
MOST_BALANCES = 20


def put_member(wanted: Membership) -> Membership:
    """Make or change a member as a form asks for.

    One who comes back has perhaps spent under another plan: that is counted again.
    """
    is_new = not Membership.objects.filter(
        organization=wanted.organization, user=wanted.user
    ).exists()
    member = add_member(organization=wanted.organization, user=wanted.user, role=wanted.role)
    if is_new or member.plan_id != wanted.plan_id:
        change_member_plan(membership=member, plan=wanted.plan)
    return member


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic when it runs
    """The members of the page's organization."""

    model = Membership
    form = MembershipForm
    fields = ("user", "role", "plan")
    autocomplete_fields = ("user",)
    ordering = ("pk",)
    extra = 0
    verbose_name = "member"
    verbose_name_plural = "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Read what names a member along."""
        members: QuerySet[Membership] = super().get_queryset(request)
        return members.select_related("organization", "user")


@admin.register(Organization)
class OrganizationAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Tenants: plan, state, members, own budgets, and where they stand."""

    list_display = (
        "name",
        "plan",
        "status",
        "members",
        "keys",
        "own_budgets",
        "time_zone",
    )
    list_filter = ("status", "plan")
    list_select_related = ("plan",)
    search_fields = ("name", "slug", "memberships__user__email")
    search_help_text = "Name or slug, or the e-mail address of a member."
    ordering = ("name", "pk")
    autocomplete_fields = ("plan",)
    actions = ["suspend", "resume"]
    readonly_fields = ("belongings", "balances", "created")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "slug"),
                    ("plan", "status"),
                    "time_zone",
                    "stores_answers",
                    "created",
                )
            },
        ),
        ("Now", {"fields": ("belongings", "balances")}),
    )
    add_fieldsets = ((None, {"fields": (("name", "slug"), "owner", "plan", "time_zone")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        """Count what belongs to each organization along."""
        rows: QuerySet[Organization] = super().get_queryset(request)
        return rows.annotate(
            member_count=_number_of(Membership),
            key_count=_number_of(ApiKey),
            budget_count=_number_of(Budget),
            project_count=_number_of(Project),
        )

    def get_form(
        self,
        request: HttpRequest,
        obj: Organization | None = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> Any:
        """Ask for an owner when an organization is made."""
        form = OrganizationForm if obj else NewOrganizationForm
        return super().get_form(request, obj, change, **({"form": form} | kwargs))

    def get_fieldsets(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        """Show what there is to show only once there is an organization."""
        return self.fieldsets if obj else self.add_fieldsets

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Organization | None = None
    ) -> dict[str, Any]:
        """Propose a slug for a new organization."""
        return {} if obj else {"slug": ("name",)}

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Show members and budgets as rows where they are few; else links lead to them."""
        inlines: list[Any] = []
        if obj is not None and obj.member_count <= MOST_INLINE:
            inlines.append(MembershipInline)
        if obj is not None and obj.budget_count <= MOST_INLINE:
            inlines.append(OrganizationBudgetInline)
        return inlines

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Make an organization, or do with it what its form asks for."""
        wanted = form.cleaned_data
        if not change:
            made = create_organization(
                name=obj.name,
                slug=obj.slug,
                plan=obj.plan,
                owner=wanted["owner"],
                time_zone=obj.time_zone,
            )
            obj.pk = made.pk
            obj.refresh_from_db()
            return
        if "plan" in form.changed_data:
            change_plan(organization=obj, plan=wanted["plan"])
        if "time_zone" in form.changed_data:
            change_time_zone(organization=obj, time_zone=wanted["time_zone"])
        if "status" in form.changed_data:
            set_organization_status(organization=obj, status=wanted["status"])
        save_changed(row=obj, form=form, but=("plan", "time_zone", "status"))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Put the budgets, or the members."""
        if formset.model is Budget:
            put_budgets(formset)
            return
        for wanted in formset.save(commit=False):
            put_member(wanted)
        for member in formset.deleted_objects:
            remove_member(membership=member)

    @admin.action(description="Suspend: refuse their calls", permissions=["change"])
    def suspend(
        self, request: HttpRequest, queryset: QuerySet[Organization]
    ) -> TemplateResponse | None:
        """Refuse all calls of the chosen organizations, once it is confirmed."""
        question = "Refuse all calls of these organizations?"
        asked = confirmation(
            request=request, page=self, rows=queryset, action="suspend", question=question
        )
        if asked is None:
            self._set_status(request, queryset, Organization.Status.SUSPENDED)
        return asked

    @admin.action(description="Resume: let their calls through", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        """Let calls of the chosen organizations through again."""
        self._set_status(request, queryset, Organization.Status.ACTIVE)

    def _set_status(
        self, request: HttpRequest, queryset: QuerySet[Organization], status: Organization.Status
    ) -> None:
        for organization in queryset:
            set_organization_status(organization=organization, status=status)
            self.log_change(request, organization, f"Set to {status.label.lower()}.")
        self.message_user(request, f"Set to {status.label.lower()}.", messages.SUCCESS)

    @admin.display(description="members", ordering="member_count")
    def members(self, row: Any) -> str:
        """Count the members, and lead to them."""
        return list_link(Membership, row.member_count, organization=row.slug)

    @admin.display(description="API keys", ordering="key_count")
    def keys(self, row: Any) -> str:
        """Count the keys, and lead to them."""
        return list_link(ApiKey, row.key_count, organization=row.slug)

    @admin.display(description="own budgets", ordering="budget_count")
    def own_budgets(self, row: Any) -> str:
        """Count the budgets beside those of the plan, and lead to them."""
        return list_link(Budget, row.budget_count, organization=row.slug)

    @admin.display(description="made (UTC)", ordering="created_at")
    def created(self, row: Organization) -> str:
        """Write when it was made."""
        return instant(row.created_at)

    @admin.display(description="has")
    def belongings(self, row: Any) -> str:
        """Count what belongs to it, and lead there."""
        return table(
            head=("Members", "Projects", "API keys", "Own budgets"),
            rows=[
                (
                    self.members(row),
                    list_link(Project, row.project_count, organization=row.slug),
                    self.keys(row),
                    self.own_budgets(row),
                )
            ],
        )

    @admin.display(description="balances")
    def balances(self, row: Organization) -> str:
        """List the balances of the open windows, with least left first."""
        current: list[Any] = current_balances(organization=row, now=now(), most=MOST_BALANCES)
        name_subjects(current)
        return table(
            head=("Budget", "Of", "Since (UTC)", "Spent", "Held", "Limit", "Used"),
            rows=[
                (
                    list_link(Balance, balance.budget, organization=row.slug),
                    balance.named,
                    instant(balance.window_start),
                    usd(balance.spent),
                    usd(balance.held),
                    usd(balance.budget.limit_amount),
                    share(balance.spent + balance.held, balance.budget.limit_amount),
                )
                for balance in current
            ],
        )


@admin.register(Membership)
class MembershipAdmin(HistoryAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Who belongs where, with which role and which plan of their own."""

    form = MembershipForm
    list_display = ("user", "organization", "role", "plan", "since")
    list_filter = ("role", "plan", OrganizationFilter)
    list_select_related = ("user", "organization", "plan")
    search_fields = ("user__email", "user__name", "organization__name", "organization__slug")
    ordering = ("-pk",)
    autocomplete_fields = ("organization", "user")
    fields = ("organization", "user", "role", "plan")

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Make or change the member."""
        obj.pk = put_member(obj).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """Take the member out of the organization."""
        remove_member(membership=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        """Take the chosen members out of their organizations."""
        for member in queryset:
            remove_member(membership=member)

    @admin.display(description="since (UTC)", ordering="created_at")
    def since(self, row: Membership) -> str:
        """Write when they joined."""
        return instant(row.created_at)


@admin.register(Project)
class ProjectAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Pieces of work whose spend is told apart."""

    list_display = ("name", "organization", "slug", "keys", "archived", "created")
    list_filter = (("archived_at", admin.EmptyFieldListFilter), OrganizationFilter)
    search_fields = ("name", "slug", "organization__name", "organization__slug")
    ordering = ("organization__name", "name", "pk")
    autocomplete_fields = ("organization",)
    fields = ("organization", ("name", "slug"), "leads", "archived", "created")
    filter_horizontal = ("leads",)
    actions = ["archive", "restore"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Read what names a project along, and count its keys."""
        rows: QuerySet[Project] = super().get_queryset(request)
        keys = ApiKey.objects.filter(project=OuterRef("pk")).order_by().values("project")
        number = Subquery(keys.annotate(number=Count("pk")).values("number"))
        return rows.select_related("organization").annotate(key_count=Coalesce(number, 0))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Project | None = None
    ) -> tuple[str, ...]:
        """Keep a project where it was made."""
        return ("archived", "created", *(("organization",) if obj else ()))

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> list[Any]:
        """Ask for leads once there is an organization to choose them from."""
        return [name for name in self.fields if obj or name != "leads"]

    def get_form(  # type: ignore[override]  # one argument is passed on by its name
        self, request: HttpRequest, obj: Project | None = None, **kwargs: Any
    ) -> Any:
        """Let leads be chosen among those of the project's organization."""
        form: Any = super().get_form(request, obj, **kwargs)
        if obj and "leads" in form.base_fields:
            form.base_fields["leads"].queryset = (
                Membership.objects.for_organization(obj.organization)
                .filter(role=Membership.Role.LEAD)
                .select_related("user", "organization")
            )
        return form

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Project | None = None
    ) -> dict[str, Any]:
        """Propose a slug for a new project."""
        return {} if obj else {"slug": ("name",)}

    @admin.action(description="Archive: refuse calls of their keys", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        """Archive the chosen projects."""
        self._set_archived(request, queryset.filter(archived_at=None), archived=True)

    @admin.action(description="Restore", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        """Bring the chosen projects back."""
        self._set_archived(request, queryset.exclude(archived_at=None), archived=False)

    def _set_archived(
        self, request: HttpRequest, projects: QuerySet[Project], *, archived: bool
    ) -> None:
        done = "Archived." if archived else "Restored."
        for project in list(projects):
            set_archived(project=project, at=now() if archived else None)
            self.log_change(request, project, done)
        self.message_user(request, done, messages.SUCCESS)

    @admin.display(description="API keys", ordering="key_count")
    def keys(self, row: Any) -> str:
        """Count the keys, and lead to them."""
        return list_link(ApiKey, row.key_count, project__id__exact=row.pk)

    @admin.display(description="archived (UTC)", ordering="archived_at")
    def archived(self, row: Project) -> str:
        """Write when it was archived; a dash if it is not."""
        return instant(row.archived_at)

    @admin.display(description="made (UTC)", ordering="created_at")
    def created(self, row: Project) -> str:
        """Write when it was made."""
        return instant(row.created_at)


def _number_of(model: type[Model]) -> Any:
    rows = model._default_manager.filter(organization=OuterRef("pk"))  # noqa: SLF001  Django's documented name.
    counted = rows.order_by().values("organization").annotate(number=Count("pk"))
    return Coalesce(Subquery(counted.values("number")), 0)
