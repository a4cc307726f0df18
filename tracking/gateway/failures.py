"""What can go wrong at a provider, told apart by what the caller should do and what was billed."""

from __future__ import annotations

from typing import ClassVar

from budgets.core.errors import DomainError


class ProviderFailure(DomainError):
    """The provider did not answer the call."""

    code = "provider_error"
    # Whether the provider may charge for the call all the same; then it is never settled as free.
    may_be_billed: ClassVar[bool] = False


class ProviderError(ProviderFailure):
    """The provider answered with an error of its own. Nothing was charged."""


class ProviderUnavailable(ProviderFailure):
    """The provider could not be reached. Nothing was charged; try again shortly."""

    code = "provider_unavailable"


class ProviderRateLimited(ProviderFailure):
    """The provider is limiting its own calls. Nothing was charged; try again shortly."""

    code = "provider_rate_limited"


class ProviderAuthFailed(ProviderFailure):
    """The provider refused this site's credentials. Nothing was charged; tell the operator."""

    code = "provider_auth_failed"


class ProviderRefused(ProviderFailure):
    """The provider refused the request as invalid. Nothing was charged."""

    code = "provider_refused"


class ContextLengthExceeded(ProviderFailure):
    """The request is longer than the model's context window. Nothing was charged."""

    code = "context_length_exceeded"


class ProviderTimeout(ProviderFailure):
    """The provider did not answer in time. It may bill the call, so it is charged as an estimate."""

    code = "timeout"
    may_be_billed = True


class ProviderInterrupted(ProviderFailure):
    """The connection broke after the call was sent, or the answer made no sense. The provider may
    bill the call, so it is charged as an estimate."""

    may_be_billed = True


# How reading ends of what has the right names and the wrong kinds under them: a provider may say
# anything, and what there is no reading is no answer.
NONSENSE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
