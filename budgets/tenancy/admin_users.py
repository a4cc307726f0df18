"""People in the admin. They sign in with their e-mail address."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest

from budgets.http.admin import KeptAdmin
from budgets.http.cells import instant, page_link, table
from budgets.tenancy.forms import NewUserForm, UserForm
from budgets.tenancy.models import Membership, User

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(KeptAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """People: who they are, where they belong, and what they may do in the admin.

    Only a superuser hands out powers or touches another's account that has some: otherwise the
    right to change users would be the right to everything.
    """

    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser", "last_seen", "joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "name")
    ordering = ("email",)
    readonly_fields = ("places", "last_seen", "joined")
    fieldsets = (
        (None, {"fields": (("email", "name"), "password", "is_active")}),
        ("Organizations", {"fields": ("places",)}),
        (
            "Powers in the admin",
            {"fields": (("is_staff", "is_superuser"), "groups", "user_permissions")},
        ),
        ("Dates", {"fields": (("last_seen", "joined"),)}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "name", "usable_password", "password1", "password2"),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Let only a superuser hand out powers."""
        return (*self.readonly_fields, *(() if _is_superuser(request) else POWERS))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Protect an account with powers from everyone but its owner and superusers."""
        is_theirs = (
            obj is None or obj.pk == request.user.pk or not (obj.is_staff or obj.is_superuser)
        )
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (is_theirs or _is_superuser(request))

    @admin.display(description="member of")
    def places(self, user: User) -> str:
        """List the organizations they belong to."""
        rows = Membership.objects.filter(user=user).select_related("organization", "plan")
        return table(
            head=("Organization", "Role", "Plan of their own"),
            rows=[
                (
                    page_link(row.organization, row.organization),
                    row.get_role_display(),
                    row.plan or "-",
                )
                for row in rows.order_by("pk")
            ],
        )

    @admin.display(description="last sign-in (UTC)", ordering="last_login")
    def last_seen(self, user: User) -> str:
        """Write when they last signed in."""
        return instant(user.last_login)

    @admin.display(description="joined (UTC)", ordering="date_joined")
    def joined(self, user: User) -> str:
        """Write when their account was made."""
        return instant(user.date_joined)


def _is_superuser(request: Any) -> bool:
    return bool(request.user.is_superuser)
