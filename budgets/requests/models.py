"""Requests for more of a budget."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from budgets.history.tables import tracked
from budgets.limits.models import Budget, LimitRaise
from budgets.tenancy.models import Organization, OrganizationOwned, User


@tracked()
class RaiseRequest(models.Model):
    """What somebody asked for, and what came of it. ``subject`` is whose balance of a budget for *each*."""

    class State(models.TextChoices):
        """How it stands."""

        OPEN = "open"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="raise_requests"
    )
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="raise_requests")
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="raise_requests")
    subject = models.CharField(max_length=160, blank=True)
    amount = models.DecimalField(max_digits=24, decimal_places=12)
    until = models.DateTimeField()
    reason = models.CharField(max_length=240)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=240, blank=True)
    limit_raise = models.OneToOneField(
        LimitRaise, on_delete=models.PROTECT, null=True, blank=True, related_name="request"
    )

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="raise_request_is_positive",
                condition=Q(amount__gt=0),
                violation_error_message="Ask for an amount above nothing.",
            ),
            models.CheckConstraint(
                name="raise_request_ends_later",
                condition=Q(until__gt=F("asked_at")),
                violation_error_message="Ask until a time to come.",
            ),
            models.UniqueConstraint(
                fields=["asked_by", "budget", "subject"],
                condition=Q(state="open"),
                name="raise_request_one_open",
                violation_error_message="You have asked for this already; it is not decided yet.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asked_by} asks for {self.amount} of {self.budget}"
