"""Mail that says what it should, and nothing that a name put into it."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMultiAlternatives

from budgets.alerts.channels.base import Config, DeliveryError, Parcel
from budgets.alerts.channels.email.transport import EmailTransport, mail
from budgets.alerts.message import Message
from tests.budgets.alerts.channels.messages import NASTY, OVER, PLAIN, REPORT

TO = ("ops@example.org", "alice@example.org")


def parcel(message: Message = PLAIN, to: tuple[str, ...] = TO) -> Parcel:
    return Parcel(id="msg_7", message=message, sent_at_s=0, to=to)


async def failure_of(error: Exception, monkeypatch: pytest.MonkeyPatch) -> DeliveryError:
    def fail(self: EmailMultiAlternatives) -> None:
        raise error

    monkeypatch.setattr(EmailMultiAlternatives, "send", fail)
    with pytest.raises(DeliveryError) as caught:
        await EmailTransport().send(parcel(), Config({}))
    return caught.value


async def test_sends_text_and_html_to_all() -> None:
    await EmailTransport().send(parcel(), Config({}))

    (sent,) = outbox.outbox
    assert isinstance(sent, EmailMultiAlternatives)
    assert sent.to == list(TO)
    assert sent.subject == "[warning] Budget Team: 82 % used"
    assert "Spent: $82.00" in str(sent.body)
    (html,) = sent.alternatives
    for text in ("Budget Team: 82 % used", "$82.00", PLAIN.url, PLAIN.advice):
        assert text in str(html[0]), text


def test_says_in_the_subject_that_it_is_over() -> None:
    assert mail(parcel(OVER)).subject == "Over: Budget Team: 82 % used"


def test_lets_no_name_write_a_header_or_a_tag() -> None:
    written = mail(parcel(NASTY))

    message = written.message()
    assert "\n" not in written.subject
    assert message["Bcc"] is None
    assert len(written.subject) <= 200
    (html,) = written.alternatives
    assert "<script>" not in str(html[0])


@pytest.mark.parametrize(
    ("make", "is_permanent"),
    [
        (lambda: smtplib.SMTPRecipientsRefused({TO[0]: (550, b"no such user")}), True),
        (lambda: smtplib.SMTPRecipientsRefused({TO[0]: (451, b"greylisted")}), False),
        (
            lambda: smtplib.SMTPRecipientsRefused({TO[0]: (550, b"no"), TO[1]: (451, b"later")}),
            False,
        ),
        (lambda: smtplib.SMTPAuthenticationError(535, b"no"), False),
        (lambda: smtplib.SMTPDataError(554, b"spam"), True),
        (lambda: smtplib.SMTPDataError(452, b"full"), False),
        (lambda: smtplib.SMTPServerDisconnected("gone"), False),
        (ConnectionRefusedError, False),
        (TimeoutError, False),
    ],
)
async def test_tells_what_lasts_from_what_passes(
    make: Callable[[], Exception], is_permanent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = await failure_of(make(), monkeypatch)

    assert failure.is_permanent == is_permanent


async def test_sends_to_nobody_for_good() -> None:
    with pytest.raises(DeliveryError) as caught:
        await EmailTransport().send(parcel(to=()), Config({}))

    assert caught.value.is_permanent


def test_carries_a_picture_that_its_html_shows() -> None:
    written = mail(replace(parcel(REPORT), picture=b"\x89PNG of bars"))

    message = written.message()
    assert message.get_content_type() == "multipart/related"
    parts: Any = message.get_payload()
    both, picture = parts
    assert both.get_content_type() == "multipart/alternative"
    assert (picture["Content-ID"], picture.get_payload(decode=True)) == (
        "<chart>",
        b"\x89PNG of bars",
    )
    (html,) = written.alternatives
    assert 'src="cid:chart" alt="Cost by day"' in str(html[0])
    assert "cid:" not in str(mail(parcel(REPORT)).alternatives[0][0])


def test_lists_tables_in_text_and_html() -> None:
    written = mail(parcel(REPORT))

    assert "  others: $12.60" in str(written.body)
    assert "&lt;!here&gt; &amp; *co*" in str(written.alternatives[0][0])


def test_can_be_ended_by_mail_programs_and_by_people() -> None:
    written = mail(parcel(REPORT))

    message = written.message()
    assert message["List-Unsubscribe"] == f"<{REPORT.unsubscribe_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert REPORT.unsubscribe_url in str(written.body)
    assert REPORT.unsubscribe_url in str(written.alternatives[0][0])
    assert mail(parcel()).message()["List-Unsubscribe"] is None


def test_reads_back_what_was_kept_before_there_were_tables() -> None:
    kept = PLAIN.as_json()
    for name in ("tables", "unsubscribe_url", "picture"):
        del kept[name]

    assert Message.from_json(kept) == PLAIN
    assert Message.from_json(json.loads(json.dumps(REPORT.as_json()))) == REPORT
