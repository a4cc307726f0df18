"""Reads the forms in which files are sent, within limits and without touching a disk."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Annotated, Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from pydantic import ConfigDict, Field, StringConstraints

from tracking.gateway.endpoints.bodies import Body, InvalidRequest, InvalidType

FORM = "multipart/form-data"


def _tell_as_part(schema: dict[str, Any]) -> None:
    schema.clear()
    schema |= {"type": "string", "format": "binary", "description": "The file itself."}


class SentFile(Body):
    """A file that was sent: its name, which tells its format, and what is in it."""

    # The OpenAPI document tells of it as a part of a form, not as what it is read into.
    model_config = ConfigDict(json_schema_extra=_tell_as_part)

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f/\\]{1,255}$")]
    content: Annotated[bytes, Field(min_length=1)]


def read_form(
    *, body: bytes, content_type: str, numbers: Sequence[str], lists: Sequence[str]
) -> dict[str, Any]:
    """Read a form into plain values: texts, the named numbers and lists, and files.

    A list is sent as ``name[]`` or ``name``, once for each of its values.

    :raises InvalidRequest: if it is no form, or a field that is no list comes twice
    :raises InvalidType: if a number is none
    """
    fields, files = _parsed(body, content_type)
    values: dict[str, Any] = {}
    for sent_as, given in (*fields.lists(), *files.lists()):
        name = sent_as.removesuffix("[]") if sent_as.removesuffix("[]") in lists else sent_as
        if name in lists:
            values[name] = [*values.get(name, []), *given]
        elif len(given) > 1:
            raise InvalidRequest(f"{name} must be sent once.", param=name)
        else:
            values[name] = _number(given[0], name) if name in numbers else given[0]
    return {name: _as_sent(value) for name, value in values.items()}


def _parsed(body: bytes, content_type: str) -> Any:
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != FORM:
        raise InvalidRequest(f"The body must be {FORM}.", param="file")
    meta = {"CONTENT_TYPE": f"{FORM};{parameters}", "CONTENT_LENGTH": str(len(body))}
    try:
        return MultiPartParser(meta, BytesIO(body), [_InMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation, BadRequest, UnicodeError, ValueError):
        raise InvalidRequest(f"The body is not valid {FORM}.") from None


def _number(text: Any, name: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise InvalidType(f"{name}: Input should be a number.", param=name) from None


def _as_sent(value: Any) -> Any:
    if isinstance(value, UploadedFile):
        return {"name": value.name, "content": value.read()}
    return value


class _InMemory(FileUploadHandler):
    """Keeps a file in memory; the whole body was, within the site's limit."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._chunks: list[bytes] = []

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keep a part of it, and give it to no other handler."""
        self._chunks.append(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        """Give the whole file."""
        return SimpleUploadedFile(self.file_name or "", b"".join(self._chunks))
