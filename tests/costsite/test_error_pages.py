from __future__ import annotations

import json

import pytest
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from costsite import error_pages


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/api/v1/keys"])
def test_answers_programs_in_the_documented_shape(rf: RequestFactory, path: str) -> None:
    request = rf.get(path)
    answers = {
        400: error_pages.bad_request(request, Exception()),
        403: error_pages.permission_denied(request, Exception()),
        404: error_pages.not_found(request, Http404()),
        500: error_pages.server_error(request),
    }

    for status, answer in answers.items():
        assert isinstance(answer, HttpResponse)
        assert answer.status_code == status
        assert set(json.loads(answer.content)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["/", "/spending/", "/v10/", "/apiary"])
def test_answers_people_with_a_page(rf: RequestFactory, path: str) -> None:
    answer = error_pages.not_found(rf.get(path), Http404())

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")
