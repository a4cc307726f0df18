"""``/api/v1/exports`` and ``/api/v1/usage/export``: past use as files."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.pages import PAGING, NewestFirst, paged
from budgets.http.params import Params
from tracking.exports.models import Export
from tracking.exports.operations import order, retry, write_now
from tracking.exports.queries import exports_of, is_still_seen, part_of
from tracking.exports.serializers import ExportSerializer, OrderSerializer
from tracking.exports.terms import CALLS, WHATS, Form, Wanted
from tracking.usage.api import Question, UsageView, parameters
from tracking.usage.question import FILTERS, PERIOD


class OrderUnreadable(DomainError):
    """An order is a JSON object of texts and whole numbers."""

    code = "invalid_type"


class ExportNotReady(DomainError):
    """The file is not built yet. Ask for its state until it is ready."""

    code = "conflict"


class ExportExpired(DomainError):
    """The file's time is over. Order it again."""

    code = "not_found"


def wanted_of(asked: Question) -> Wanted:
    """Read which file is asked for."""
    return Wanted(
        what=asked.params.choice("what", among=list(WHATS), default=CALLS),
        form=Form(asked.params.choice("as", among=[form.value for form in Form], default=Form.CSV)),
        part=asked.part,
        days=asked.days,
        compares=asked.compares,
    )


class ExportNowView(UsageView):
    """A small file, at once."""

    more = ("what", "as", "compare")

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS, *more), responses={200: OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> HttpResponse:
        """Give a file of at most 5,000 rows; a larger one is ordered under /api/v1/exports."""
        wanted = wanted_of(self.question(request))
        file = io.BytesIO()
        write_now(wanted=wanted, to=file)
        return HttpResponse(
            file.getvalue(),
            content_type=wanted.form.media_type,
            headers=_headers(wanted.file_name),
        )


class ExportListView(UsageView):
    """The files that somebody ordered."""

    more = ("what", "as", "compare")

    @paged(ExportSerializer)
    def get(self, request: Request) -> Response:
        """List one's own files, the newest first."""
        params = Params.read(
            dict(request.query_params.lists()), known=("organization", "format", *PAGING)
        )
        viewer = self.viewer(slug=params.text("organization"))
        paginator = NewestFirst()
        found = paginator.paginate_queryset(exports_of(viewer=viewer), request, view=self)
        return paginator.get_paginated_response(ExportSerializer(found, many=True).data)

    @extend_schema(request=OrderSerializer, responses={202: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Order a file; a worker builds it, and its state tells how far it is."""
        asked = self.question_of(_texts(request.data))
        export = order(viewer=asked.viewer, wanted=wanted_of(asked), now=clock.now())
        return Response(ExportSerializer(export).data, status=202)


class _OneExportView(UsageView):
    def export(self, request: Request, pk: UUID) -> Export:
        """Find one of somebody's own files of which they may still see everything."""
        query = dict(request.query_params.lists())
        params = Params.read(query, known=("organization", "format"))
        viewer = self.viewer(slug=params.text("organization"))
        found = exports_of(viewer=viewer).filter(pk=pk).first()
        if found is None or not is_still_seen(viewer=viewer, export=found):
            raise Http404
        return found


class ExportView(_OneExportView):
    """One file that was ordered."""

    @extend_schema(parameters=parameters("organization"), responses=ExportSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        """Tell how far it is."""
        return Response(ExportSerializer(self.export(request, pk)).data)


class ExportRetryView(_OneExportView):
    """Building again."""

    @extend_schema(
        parameters=parameters("organization"), request=None, responses={202: ExportSerializer}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Have a file built again that could not be built."""
        export = self.export(request, pk)
        retry(export=export)
        return Response(ExportSerializer(export).data, status=202)


class ExportFileView(_OneExportView):
    """The file itself."""

    @extend_schema(parameters=parameters("organization"), responses={200: OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Give the file, until it expires."""
        export = self.export(request, pk)
        if export.expires_at is not None and export.expires_at <= clock.now():
            raise ExportExpired
        if export.state != Export.State.READY:
            raise ExportNotReady
        headers = _headers(export.file_name) | {"Content-Length": str(export.size_bytes)}
        media_type = Form(export.form).media_type
        return StreamingHttpResponse(_parts(export), content_type=media_type, headers=headers)


async def _parts(export: Export) -> AsyncIterator[bytes]:
    """Read a file piece by piece, so that none is in memory whole."""
    number = 0
    while content := await sync_to_async(part_of)(export=export, number=number):
        yield content
        number += 1


def _headers(file_name: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _texts(body: Any) -> Mapping[str, list[str]]:
    """Read an order as if it were the parameters of an address.

    :raises OrderUnreadable: if a value can be none
    """
    if not isinstance(body, dict):
        raise OrderUnreadable
    for name, value in body.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
            raise OrderUnreadable(f"{str(name)[:40]} is a text or a whole number.", param=name[:40])
    return {str(name): ["" if value is None else str(value)] for name, value in body.items()}
