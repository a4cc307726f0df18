"""``/api/v1/requests``: asking for more, and deciding on it."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.core import clock
from budgets.http.pages import PAGING, NewestFirst, paged
from budgets.http.params import Params
from budgets.requests.models import RaiseRequest
from budgets.requests.operations import Wish, ask, decide
from budgets.requests.queries import requests_of
from budgets.requests.serializers import DecisionSerializer, RequestSerializer, WishSerializer
from budgets.tenancy.access import Viewer
from budgets.tenancy.authentication import ManagementView
from budgets.tenancy.scopes import Scope


class RequestsView(ManagementView):
    """Requests for more: whoever reads needs one scope of a key, who asks or decides another."""

    @property
    def scope(self) -> str:  # type: ignore[override]  # what it needs depends on the method
        """The scope that a key needs for this request."""
        return Scope.REQUESTS_READ if self.request.method == "GET" else Scope.REQUESTS_WRITE

    def asked(self, request: Request, *more: str) -> tuple[Viewer, Params]:
        """Read the parameters, and who looks."""
        known = ("organization", *more)
        params = Params.read(dict(request.query_params.lists()), known=known)
        return self.viewer(slug=params.text("organization")), params


class RequestListView(RequestsView):
    """All that one may see."""

    @paged(RequestSerializer, "state")
    def get(self, request: Request) -> Response:
        """List requests, the newest first: owners and admins see all, others their own."""
        viewer, params = self.asked(request, "state", *PAGING)
        rows = requests_of(viewer=viewer)
        state = params.choice("state", among=RaiseRequest.State.values, default="")
        rows = rows.filter(state=state) if state else rows
        paginator = NewestFirst()
        found = paginator.paginate_queryset(rows, request, view=self)
        return paginator.get_paginated_response(RequestSerializer(found, many=True).data)

    @extend_schema(request=WishSerializer, responses={201: RequestSerializer})
    def post(self, request: Request) -> Response:
        """Ask for more of a budget that applies to you; owners and admins are told."""
        viewer, _ = self.asked(request)
        given = WishSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wished: dict[str, Any] = given.validated_data
        wish = Wish(wished["budget"], wished["amount"], wished["until"], wished["reason"])
        made = ask(viewer=viewer, wish=wish, now=clock.now())
        return Response(RequestSerializer(made).data, status=201)


class RequestView(RequestsView):
    """One request."""

    @extend_schema(responses=RequestSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Give a request, and what came of it."""
        viewer, _ = self.asked(request)
        return Response(RequestSerializer(_one(viewer, pk)).data)

    @extend_schema(
        operation_id="v1_requests_decide", request=DecisionSerializer, responses=RequestSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Approve (as asked or changed), refuse, or withdraw one's own."""
        viewer, _ = self.asked(request)
        found = _one(viewer, pk)
        given = DecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        decide(viewer=viewer, request=found, now=clock.now(), **given.validated_data)
        found = _one(viewer, pk)
        return Response(RequestSerializer(found).data)


def _one(viewer: Viewer, pk: int) -> RaiseRequest:
    found = requests_of(viewer=viewer).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404
    return found
