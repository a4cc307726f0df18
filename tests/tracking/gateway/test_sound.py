"""How long sound is, by its bytes: never less than what a provider hears."""

from __future__ import annotations

import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.pricing.strategies import patient
from tracking.gateway.endpoints.sound import LEAST_BYTES_PER_SECOND, seconds_at_most


def wav(seconds: float, *, rate: int = 8_000, channels: int = 1, width: int = 2) -> bytes:
    """Write silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((channels, width, rate, 0, "NONE", ""))
        written.writeframes(bytes(int(seconds * rate) * channels * width))
    return file.getvalue()


def mp3(frames: int) -> bytes:
    """Write frames of MPEG 1 Layer III: 128 kbit/s, 44,100 samples a second, 1,152 to a frame."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * frames


@patient
@given(
    seconds=st.integers(0, 90),
    rate=st.sampled_from([8_000, 16_000, 44_100]),
    channels=st.integers(1, 2),
    width=st.sampled_from([1, 2, 4]),
)
def test_reads_the_length_of_wav(seconds: int, rate: int, channels: int, width: int) -> None:
    bound = seconds_at_most(wav(seconds, rate=rate, channels=channels, width=width))

    assert seconds <= bound <= seconds + 2


@patient
@given(frames=st.integers(0, 3000))
def test_reads_the_length_of_mp3(frames: int) -> None:
    seconds = frames * 1152 / 44_100

    assert seconds <= seconds_at_most(mp3(frames)) <= seconds + 2
    tagged = b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257) + mp3(frames)
    assert seconds_at_most(tagged) == seconds_at_most(mp3(frames))


@pytest.mark.parametrize(
    "forged",
    [
        wav(60)[:20] + b"\x31\x00" + wav(60)[22:],  # says that it is GSM
        wav(60)[:32] + b"\xff\xff" + wav(60)[34:],  # claims larger blocks than it has
        b"OggS" + bytes(10_000),
        mp3(10) + bytes(10_000),
        b"\xff" * 10_000,
        b"",
    ],
)
def test_believes_nothing_that_makes_sound_shorter(forged: bytes) -> None:
    bound = seconds_at_most(forged)

    assert bound >= (len(forged) - 10 * 417) / LEAST_BYTES_PER_SECOND or bound >= 60


def test_reads_no_more_frames_than_it_has_time_for() -> None:
    frames = 70_000
    shortest = (b"\xff\xf3\x10\x00" + bytes(20)) * frames

    assert seconds_at_most(shortest) >= frames * 576 / 24_000


@patient
@given(sound=st.binary(max_size=400))
def test_bounds_any_bytes(sound: bytes) -> None:
    assert seconds_at_most(sound) >= 1
