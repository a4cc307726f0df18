"""How programs and browsers prove who they are to the management API."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.renderers import CsvRenderer
from budgets.tenancy.access import Viewer, viewer_of, viewer_with_key
from budgets.tenancy.models import ApiKey, User
from budgets.tenancy.operations import pepper
from budgets.tenancy.queries import key_of


class ScopeMissing(DomainError):
    """This API key does not carry the scope that is needed here. Its owner can add it."""

    code = "scope_missing"


class ApiKeyAuthentication(BaseAuthentication):
    """Takes an API key of an organization: the request is made by the key's user."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Find the key's user; None where no key was sent.

        :raises InvalidApiKey: if the key opens nothing
        """
        authorization = request.headers.get("Authorization")
        if authorization is None:
            return None
        key = key_of(authorization=authorization, pepper=pepper(), now=clock.now())
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Say what would be taken."""
        return "Bearer"


class HasScope(BasePermission):
    """Lets a key through that carries the view's scope, and everybody who is signed in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Look at the key.

        :raises ScopeMissing: if it does not carry the scope
        """
        if isinstance(request.auth, ApiKey) and view.scope not in request.auth.scopes:
            raise ScopeMissing(scope=str(view.scope))
        return True


class ManagementView(APIView):
    """A resource under ``/api/v1``: who asks, on which organization, and in which form."""

    authentication_classes = (ApiKeyAuthentication, SessionAuthentication)
    permission_classes = (IsAuthenticated, HasScope)
    renderer_classes = (JSONRenderer, CsvRenderer)
    scope = ""

    def viewer(self, *, slug: str | None) -> Viewer:
        """Give who looks at which organization: the named one, else their first by name.

        :raises OrganizationNotFound: if they do not belong to it, whether or not it exists
        :raises NoMembership: if they belong to none
        """
        if isinstance(self.request.auth, ApiKey):
            return viewer_with_key(key=self.request.auth, slug=slug)
        return viewer_of(user=cast(User, self.request.user), slug=slug)

    def handle_exception(self, exc: Exception) -> Response:
        """Tell errors as JSON, whichever form the answer was asked for in."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)
