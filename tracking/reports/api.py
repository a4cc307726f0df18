"""``/api/v1/reports``: scheduled reports for programs."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.core import clock
from budgets.http.params import Params
from budgets.tenancy.access import Viewer
from budgets.tenancy.authentication import ManagementView
from budgets.tenancy.scopes import Scope
from tracking.reports.models import Report
from tracking.reports.operations import Wish, end, order
from tracking.reports.queries import reports_of
from tracking.reports.rhythm import Rhythm
from tracking.reports.serializers import ReportSerializer

_MOST_ID = 2**63


class ReportsView(ManagementView):
    """A resource of reports: who reads needs one scope, who changes another."""

    @property
    def scope(self) -> str:  # type: ignore[override]  # what it needs depends on the method
        """The scope that a key needs for this request."""
        return Scope.REPORTS_READ if self.request.method == "GET" else Scope.REPORTS_WRITE

    def who(self, request: Request) -> Viewer:
        """Give who looks, at the organization that the address names."""
        params = Params.read(dict(request.query_params.lists()), known=("organization",))
        return self.viewer(slug=params.text("organization"))


class ReportListView(ReportsView):
    """Reports."""

    @extend_schema(
        responses=inline_serializer("ScheduledReportList", {"results": ReportSerializer(many=True)})
    )
    def get(self, request: Request) -> Response:
        """List one's own reports; to managers also those to channels."""
        viewer = self.who(request)
        rows = reports_of(viewer=viewer)
        return Response({"results": ReportSerializer(rows, many=True, viewer=viewer).data})

    @extend_schema(request=ReportSerializer, responses={201: ReportSerializer})
    def post(self, request: Request) -> Response:
        """Order a report; ordered twice it is still one."""
        viewer = self.who(request)
        asked = ReportSerializer(data=request.data, viewer=viewer)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        wish = Wish(Rhythm(given["rhythm"]), given["project"], given["channel"])
        report = order(viewer=viewer, wish=wish, now=clock.now())
        return Response(ReportSerializer(report, viewer=viewer).data, status=201)


class ReportView(ReportsView):
    """One report."""

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """End it: nothing more is sent."""
        end(report=self._report(request, pk))
        return Response(status=204)

    def _report(self, request: Request, pk: int) -> Report:
        found = reports_of(viewer=self.who(request)).filter(pk=pk if pk < _MOST_ID else 0).first()
        if found is None:
            raise Http404
        return found
