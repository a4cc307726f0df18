"""Sends mail by the site's mail server."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Mapping
from email.mime.image import MIMEImage
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string

from budgets.alerts.channels.base import (
    ChannelInvalid,
    Config,
    DeliveryError,
    Parcel,
    message_id,
)
from budgets.alerts.message import Message
from budgets.http.outbound import parse
from budgets.tenancy.models import Membership

MOST_RECIPIENTS = 50
_MOST_SUBJECT = 200
_PICTURE_ID = "chart"


class EmailTransport:
    """Mail to addresses, and to whoever has a role when it is sent."""

    def read(self, given: Mapping[str, Any], *, before: Config | None) -> Config:
        """Read addresses (``to``) and roles.

        :raises ChannelInvalid: if neither is given, or one is not valid
        """
        known = before.public if before else {}
        to = _texts(given.get("to", known.get("to", ())), "to")
        roles = _texts(given.get("roles", known.get("roles", ())), "roles")
        for address in to:
            try:
                validate_email(address)
            except ValidationError as error:
                text = f"{address} is not an e-mail address."
                raise ChannelInvalid(text, param="to") from error
        if unknown := set(roles) - set(Membership.Role.values):
            text = f"There is no role {', '.join(sorted(unknown))}."
            raise ChannelInvalid(text, param="roles")
        if not to and not roles:
            raise ChannelInvalid("The channel needs addresses (to) or roles.", param="to")
        if len(to) > MOST_RECIPIENTS:
            raise ChannelInvalid(f"No more than {MOST_RECIPIENTS} addresses.", param="to")
        return Config({"to": to, "roles": roles})

    async def send(self, parcel: Parcel, config: Config) -> None:
        """Send one mail to all recipients.

        :raises DeliveryError: if no mail server took it
        """
        if not parcel.to:
            raise DeliveryError("Nobody to send it to.", is_permanent=True)
        # Django's mail is not async.
        await asyncio.to_thread(_send, mail(parcel))


class _MailWithPicture(EmailMultiAlternatives):
    """Mail whose HTML shows a part that goes with it: RFC 2387."""

    mixed_subtype = "related"


def mail(parcel: Parcel) -> EmailMultiAlternatives:
    """Write the mail; its subject is one line whatever a name holds."""
    message = parcel.message
    mark = "" if message.level == "info" else f"[{message.level}] "
    subject = " ".join(f"{mark}{message.headline}".split())
    kind = _MailWithPicture if parcel.picture else EmailMultiAlternatives
    written = kind(
        subject=subject[:_MOST_SUBJECT],
        body=render_to_string("alerts/mail.txt", {"message": message}),
        to=list(parcel.to),
        headers={
            "Message-ID": message_id(parcel, host=parse(settings.COSTSITE_BASE_URL).host),
            "Auto-Submitted": "auto-generated",
            **_unsubscribe_headers(message),
        },
    )
    source = f"cid:{_PICTURE_ID}" if parcel.picture else ""
    written.attach_alternative(html_of(message=message, picture_source=source), "text/html")
    if parcel.picture:
        written.attach(_picture(parcel.picture))
    return written


def html_of(*, message: Message, picture_source: str) -> str:
    """Write a message as a page of HTML; ``picture_source`` is where its picture is, if anywhere."""
    context = {"message": message, "picture_source": picture_source}
    return render_to_string("alerts/mail.html", context)


def _picture(content: bytes) -> MIMEImage:
    part = MIMEImage(content, "png")
    part.add_header("Content-ID", f"<{_PICTURE_ID}>")
    part.add_header("Content-Disposition", "inline", filename=f"{_PICTURE_ID}.png")
    return part


def _unsubscribe_headers(message: Message) -> dict[str, str]:
    """Let mail programs end it with one click: RFC 8058."""
    if not message.unsubscribe_url:
        return {}
    return {
        "List-Unsubscribe": f"<{message.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _send(written: EmailMultiAlternatives) -> None:
    try:
        written.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        text = f"No recipient was taken: {error.recipients}"
        raise DeliveryError(text, is_permanent=all(500 <= code < 600 for code in codes)) from error
    except smtplib.SMTPAuthenticationError as error:
        # The operator will put it right; the message is not to blame.
        text = "The mail server refuses the site's password."
        raise DeliveryError(text, is_permanent=False) from error
    except smtplib.SMTPResponseException as error:
        text = f"The mail server answered {error.smtp_code}: {error.smtp_error!r}"
        raise DeliveryError(text, is_permanent=500 <= error.smtp_code < 600) from error
    except (smtplib.SMTPException, OSError) as error:
        text = f"The mail server cannot be reached ({type(error).__name__})."
        raise DeliveryError(text, is_permanent=False) from error


def _texts(given: Any, name: str) -> list[str]:
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ChannelInvalid(f"{name} is a list of texts.", param=name)
    return [text.strip() for text in given if text.strip()]
