"""How long sound can last at most, by its bytes. Pure.

The length of uncompressed WAV and of MP3 is read from their frames, which is what a provider
decodes; what a header claims about the whole is not believed. All other sound is bounded by the
leanest frames that speech codecs have: Opus packs 120 ms into three bytes.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

LEAST_BYTES_PER_SECOND = 25

# More frames than this are not read one by one: the rest of the file counts as any other sound.
_MOST_FRAMES = 60_000
# PCM, floats, A-law and mu-law: so many bytes are so many samples.
_UNCOMPRESSED = frozenset({1, 3, 6, 7})
_EXTENSIBLE = 0xFFFE
# kbit/s of MPEG 1 and of MPEG 2 and 2.5, Layer III; samples a second by version.
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def seconds_at_most(sound: bytes) -> int:
    """Bound how long sound lasts, in whole seconds and one more, for providers round up."""
    exact = _seconds_of_wav(sound)
    if exact is None:
        exact = _seconds_of_mp3(sound)
    return ceil(exact) + 1


def _seconds_of_wav(sound: bytes) -> Fraction | None:
    if sound[:4] != b"RIFF" or sound[8:12] != b"WAVE":
        return None
    per_second = _bytes_per_second(sound)
    return Fraction(len(sound), per_second or LEAST_BYTES_PER_SECOND)


def _bytes_per_second(wav: bytes) -> int:
    """Read it from the format chunk; zero for what is compressed or makes no sense."""
    place = 12
    while place + 24 <= len(wav):
        size = int.from_bytes(wav[place + 4 : place + 8], "little")
        if wav[place : place + 4] == b"fmt ":
            return _rate_of_format(wav[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return 0


def _rate_of_format(form: bytes) -> int:
    kind, channels = _number(form, 0, 2), _number(form, 2, 2)
    if kind == _EXTENSIBLE:
        kind = _number(form, 24, 2)
    if kind not in _UNCOMPRESSED:
        return 0
    block = min(_number(form, 12, 2), channels * (_number(form, 14, 2) // 8))
    return _number(form, 4, 4) * block


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


def _seconds_of_mp3(sound: bytes) -> Fraction:
    """Add up the frames; from the first byte on that begins none, it is sound of any kind."""
    place, seconds = _after_tag(sound), Fraction(0)
    by_rate: dict[tuple[int, int], int] = {}
    for _ in range(_MOST_FRAMES):
        frame = _frame(sound, place)
        if frame is None:
            break
        size, samples, rate = frame
        by_rate[samples, rate] = by_rate.get((samples, rate), 0) + 1
        place += size
    for (samples, rate), count in by_rate.items():
        seconds += Fraction(count * samples, rate)
    return seconds + Fraction(max(len(sound) - place, 0), LEAST_BYTES_PER_SECOND)


def _after_tag(sound: bytes) -> int:
    """Skip a leading ID3 tag, which holds no sound."""
    if sound[:3] != b"ID3" or len(sound) < 10:
        return 0
    size = 0
    for byte in sound[6:10]:
        size = size << 7 | byte & 0x7F
    return min(10 + size, len(sound))


def _frame(sound: bytes, place: int) -> tuple[int, int, int] | None:
    """Read a frame's header: its bytes, its samples, and how many of these make a second."""
    header = int.from_bytes(sound[place : place + 4], "big")
    version, layer = header >> 19 & 3, header >> 17 & 3
    rate_at, samples_at = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer != 1 or samples_at == 3:
        return None
    if rate_at in (0, 15):
        return None
    is_first = version == 3
    kilobits = (_RATES_1 if is_first else _RATES_2)[rate_at]
    rate = _SAMPLES[version][samples_at]
    samples = 1152 if is_first else 576
    return samples // 8 * kilobits * 1000 // rate + (header >> 9 & 1), samples, rate
