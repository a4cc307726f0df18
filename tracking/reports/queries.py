"""Reports for pages and programs, and of whom they are."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from budgets.tenancy.access import NoMembership, OrganizationNotFound, Viewer, viewer_of
from budgets.tenancy.models import Project
from tracking.reports.content import Subject
from tracking.reports.models import Report
from tracking.reports.rhythm import Rhythm
from tracking.usage.terms import Slice


def reports_of(*, viewer: Viewer) -> QuerySet[Report]:
    """Read the reports that go on: one's own, and to a manager those to the channels too."""
    rows: QuerySet[Report] = Report.objects.for_organization(viewer.organization)
    theirs = Q(user=viewer.user, channel=None)
    if viewer.manages:
        theirs |= Q(channel__isnull=False)
    rows = rows.filter(theirs, active=True)
    return rows.select_related("project", "channel", "user", "organization").order_by("-id")


def subject_for(*, viewer: Viewer, project: Project | None, rhythm: Rhythm) -> Subject:
    """Say of whom a report to somebody is: of what they may see, and no more."""
    part = Slice(
        organization_id=viewer.organization.pk,
        project_id=project.pk if project else None,
        viewer_id=viewer.only_user_id,
        led_project_ids=viewer.led_project_ids,
    )
    return Subject(viewer.organization, project, part, rhythm)


def subject_of(*, report: Report) -> Subject | None:
    """Say of whom a report is now; None where its reader is no member any more."""
    rhythm, project = Rhythm(report.rhythm), report.project
    if report.channel is not None:
        project_id = project.pk if project else None
        part = Slice(organization_id=report.organization_id, project_id=project_id)
        return Subject(report.organization, project, part, rhythm)
    try:
        viewer = viewer_of(user=report.user, slug=report.organization.slug)
    except (NoMembership, OrganizationNotFound):
        return None
    return (
        subject_for(viewer=viewer, project=project, rhythm=rhythm)
        if report.user.is_active
        else None
    )
