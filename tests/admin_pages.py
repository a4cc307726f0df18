"""The admin as a person uses it: signed in, filling in the form that a page shows."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests import make

Fields = dict[str, Any]


def superuser() -> Client:
    """Sign in as someone who may do everything."""
    client = Client()
    client.force_login(make.user(name="root", is_staff=True, is_superuser=True))
    return client


def staff(*permissions: str, name: str = "clerk") -> Client:
    """Sign in as a member of staff with permissions such as change_plan."""
    user = make.user(name=name, is_staff=True)
    granted = Permission.objects.filter(codename__in=permissions)
    assert len(granted) == len(permissions)
    user.user_permissions.set(granted)
    client = Client()
    client.force_login(user)
    return client


def list_of(model: type[Model]) -> str:
    """Give the address of a model's list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def new(model: type[Model]) -> str:
    """Give the address where a row is added."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def page_of(row: Model) -> str:
    """Give the address of a row's page."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=(row.pk,))


def text_of(client: Client, address: str) -> str:
    """Read a page, which must be there."""
    response = client.get(address, follow=True)
    assert response.status_code == 200, address
    return response.content.decode()


def submit(client: Client, address: str, **changes: Any) -> Any:
    """Open a page, fill in its form, and send it as a browser would."""
    fields = fields_in(text_of(client, address))
    unknown = changes.keys() - fields.keys()
    assert not unknown, f"{unknown} are not among {sorted(fields)}"
    filled = {name: value for name, value in (fields | changes).items() if value is not None}
    return client.post(address, filled)


def act(client: Client, action: str, *rows: Model, **more: str) -> Any:
    """Choose rows in their list and do an action on them."""
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(list_of(type(rows[0])), chosen | more)


def fields_in(html: str) -> Fields:
    """Read what a browser would send of a page's main form; None for unchecked boxes."""
    parser = _Form()
    parser.feed(html)
    return parser.fields


class _Form(HTMLParser):
    """Collects the fields of the form whose id ends in _form, or of the only POST form."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Fields = {}
        self._is_open = False
        self._select: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            self._is_open = (given.get("id") or "").endswith("_form")
        if not self._is_open or "disabled" in given:
            return
        if tag == "input" and name and given.get("type") != "submit":
            self._take_input(name, given)
        elif tag == "select":
            self._select = name
            self.fields[name] = [] if "multiple" in given else ""
        elif tag == "option" and self._select and "selected" in given:
            self._take_option(given.get("value") or "")
        elif tag == "textarea":
            self._text, self.fields[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self.fields[self._text] += data

    def _take_input(self, name: str, given: dict[str, str | None]) -> None:
        if given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                self.fields[name] = given.get("value") or "on"
            else:
                self.fields.setdefault(name, None)
        else:
            self.fields[name] = given.get("value") or ""

    def _take_option(self, value: str) -> None:
        assert self._select is not None
        if isinstance(self.fields[self._select], list):
            self.fields[self._select].append(value)
        else:
            self.fields[self._select] = value
