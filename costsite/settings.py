"""Every setting, read from the environment. docs/settings.md says what each is for.

Two modes. Without DATABASE_URL the product keeps everything itself in one data folder: an embedded
PostgreSQL, generated secrets, plain HTTP on this machine. With DATABASE_URL it is a deployment:
nothing is generated, nothing insecure is assumed, and what is missing is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from costsite import embedded, env, secret_file

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(env.path("COSTSITE_ENV_FILE", BASE_DIR / ".env"))

# Mode and data folder: one machine, or a deployment.

COSTSITE_DATA = env.path("COSTSITE_DATA", BASE_DIR / "var")
_database = env.postgres("DATABASE_URL")
COSTSITE_EMBEDDED = not _database

DEBUG = env.truth("DEBUG", default=False)

# Secrets: generated where embedded, required elsewhere.

_generated = secret_file.read_or_make(COSTSITE_DATA / "secrets.json") if COSTSITE_EMBEDDED else {}


def _secret(name: str) -> str:
    value = env.text(name) or _generated.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} must be set (or {name}_FILE) when DATABASE_URL is.")
    return value


SECRET_KEY = _secret("SECRET_KEY")
# Mixed into every API key's stored hash: the database alone does not let anyone test a guess.
COSTSITE_KEY_PEPPER = _secret("COSTSITE_KEY_PEPPER")
# Fernet keys for provider credentials at rest: the first encrypts, all of them decrypt.
COSTSITE_CREDENTIAL_KEYS = [key.strip() for key in _secret("COSTSITE_CREDENTIAL_KEYS").split(",")]

# Address: by which names the site is reached.

_loopback = ("localhost", "127.0.0.1", "[::1]")
ALLOWED_HOSTS = env.listing("ALLOWED_HOSTS", _loopback if COSTSITE_EMBEDDED or DEBUG else ())
# Where people and error messages find the site: mail, "your budget is used up, see ...", quickstart.
COSTSITE_BASE_URL = env.web_address(
    "COSTSITE_BASE_URL",
    "http://127.0.0.1:8000"
    if COSTSITE_EMBEDDED
    else f"https://{next(iter(ALLOWED_HOSTS), 'localhost').lstrip('.')}",
)
_base = urlsplit(COSTSITE_BASE_URL)
_https = _base.scheme == "https"
if COSTSITE_EMBEDDED and _base.hostname and _base.hostname not in ALLOWED_HOSTS:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, _base.hostname]
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS", (f"{_base.scheme}://{_base.netloc}",))

# Apps, pages and static files.

INSTALLED_APPS = [
    "costsite",
    "budgets",
    "tracking",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "pgtrigger",
    "pghistory",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
]
# For pages, admin and the management API. The gateway under /v1 has its own edge: costsite/asgi.py.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    # Writes into the history of configuration who changed it, and on which page.
    "pghistory.middleware.HistoryMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "costsite.urls"
ASGI_APPLICATION = "costsite.asgi.application"
WSGI_APPLICATION = "costsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Where `collectstatic` has run (a container image), files carry a hash in their name and are
# compressed. Elsewhere they are served from where they lie, so that no step stands before `up`.
COSTSITE_COLLECTED_STATIC = env.truth("COSTSITE_COLLECTED_STATIC", default=False)
STATIC_ROOT = BASE_DIR / "staticfiles" if COSTSITE_COLLECTED_STATIC else None
WHITENOISE_USE_FINDERS = not COSTSITE_COLLECTED_STATIC
WHITENOISE_AUTOREFRESH = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if COSTSITE_COLLECTED_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
# Stored and computed in UTC; each organization's own zone decides where its windows begin.
TIME_ZONE = "UTC"

# Database: PostgreSQL and nothing else.

# PostgreSQL's address in libpq's own words; a plain connection outside the ORM starts from it.
COSTSITE_POSTGRES = _database or embedded.Postgres(data=COSTSITE_DATA).address
_pool_size = env.whole("COSTSITE_DB_POOL_SIZE", 10)
DATABASES = {
    "default": {
        "ENGINE": "costsite.postgres" if COSTSITE_EMBEDDED else "django.db.backends.postgresql",
        "NAME": COSTSITE_POSTGRES["dbname"],
        "USER": COSTSITE_POSTGRES.get("user", ""),
        "PASSWORD": COSTSITE_POSTGRES.get("password", ""),
        "HOST": COSTSITE_POSTGRES.get("host", ""),
        "PORT": COSTSITE_POSTGRES.get("port", ""),
        # A kept connection per thread leaks under ASGI, where threads come and go; the pool does not.
        "CONN_MAX_AGE": 0,
        # The server may restart beneath a pooled connection; each is asked before it is handed out.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            key: value
            for key, value in COSTSITE_POSTGRES.items()
            if key not in {"dbname", "user", "password", "host", "port"}
        }
        | ({"pool": {"min_size": 1, "max_size": _pool_size, "timeout": 10}} if _pool_size else {}),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Several changes in one transaction keep their order in the history.
PGHISTORY_CREATED_AT_FUNCTION = "clock_timestamp()"

# People and how they sign in.

AUTH_USER_MODEL = "budgets.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

# Security of cookies, transport and pages.

SECURE_SSL_REDIRECT = _https
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.whole("SECURE_HSTS_SECONDS", 31_536_000) if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
# Only behind a proxy that sets this header itself and drops the client's.
COSTSITE_TRUST_PROXY = env.truth("COSTSITE_TRUST_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if COSTSITE_TRUST_PROXY else None
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

# Interfaces for programs.

REST_FRAMEWORK: dict[str, Any] = {
    "COERCE_DECIMAL_TO_STRING": True,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "budgets.http.errors.exception_handler",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "costsite",
    "DESCRIPTION": "Budgets, spend and the gateway in front of your model providers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",
    "PREPROCESSING_HOOKS": ["costsite.openapi.management_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "costsite.openapi.with_gateway",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
# A larger body is refused before it is read: with the gateway's 413 under /v1, with Django's elsewhere.
COSTSITE_MAX_BODY_BYTES = env.whole("COSTSITE_MAX_BODY_BYTES", 20_000_000, least=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = COSTSITE_MAX_BODY_BYTES

# Gateway: how long a provider is waited for.

# A provider that has not answered for so long is given up, and the call is charged as an estimate.
COSTSITE_PROVIDER_TIMEOUT_S = env.whole("COSTSITE_PROVIDER_TIMEOUT_S", 600, least=1)
# Within that: so long for the connection (one that is not made is not billed), for the first byte of
# a stream, and for each pause in it. A provider may have times of its own.
COSTSITE_CONNECT_TIMEOUT_S = env.whole("COSTSITE_CONNECT_TIMEOUT_S", 10, least=1)
COSTSITE_FIRST_BYTE_TIMEOUT_S = env.whole("COSTSITE_FIRST_BYTE_TIMEOUT_S", 300, least=1)
COSTSITE_IDLE_TIMEOUT_S = env.whole("COSTSITE_IDLE_TIMEOUT_S", 120, least=1)
# How many attempts a call makes, where those before surely were not billed, and how long it waits
# for one at most, should the provider ask for that.
COSTSITE_PROVIDER_ATTEMPTS = env.whole("COSTSITE_PROVIDER_ATTEMPTS", 3, least=1)
COSTSITE_RETRY_WAIT_S = env.whole("COSTSITE_RETRY_WAIT_S", 10)
# After so many failures in a row a route is left alone for so long, and then for twice as long.
COSTSITE_COOL_DOWN_AFTER = env.whole("COSTSITE_COOL_DOWN_AFTER", 3, least=1)
COSTSITE_COOL_DOWN_S = env.whole("COSTSITE_COOL_DOWN_S", 30, least=1)
# A client left in mid-stream: so long the provider is still read, to learn what the call cost.
COSTSITE_DRAIN_S = env.whole("COSTSITE_DRAIN_S", 30)

# How long after its deadline a call may still be settling before the sweeper charges its hold.
COSTSITE_SETTLING_GRACE_S = env.whole("COSTSITE_SETTLING_GRACE_S", 60, least=1)
# How long a process that is told to stop waits for the calls under way.
COSTSITE_SHUTDOWN_S = env.whole("COSTSITE_SHUTDOWN_S", 20)

# Mail.

_email = env.email("EMAIL_URL", "console:" if COSTSITE_EMBEDDED else "smtp://localhost:25")
EMAIL_BACKEND: str = _email["EMAIL_BACKEND"]
EMAIL_HOST: str = _email["EMAIL_HOST"]
EMAIL_PORT: int = _email["EMAIL_PORT"]
EMAIL_HOST_USER: str = _email["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD: str = _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS: bool = _email["EMAIL_USE_TLS"]
EMAIL_USE_SSL: bool = _email["EMAIL_USE_SSL"]
EMAIL_TIMEOUT: int = _email["EMAIL_TIMEOUT"]
EMAIL_FILE_PATH: str | None = _email.get("EMAIL_FILE_PATH")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"costsite@{_base.hostname}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Addresses that people enter and the site then calls: webhooks, providers.

# Networks of our own that such an address may lie in all the same; everything else must be public.
COSTSITE_OUTBOUND_NETWORKS = env.networks("COSTSITE_OUTBOUND_NETWORKS")
# The same for the addresses of providers, which only the site's operators enter: a model server of
# one's own, which no tenant's webhook should reach.
COSTSITE_PROVIDER_NETWORKS = env.networks("COSTSITE_PROVIDER_NETWORKS")

# Celery and its queue.

_visibility_timeout_s = 300
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "pgmq://postgresql")
# The queue in our own PostgreSQL. Its defaults poll for seconds inside a transaction and thereby
# block the first message of every other process: so wait 0, and be woken by NOTIFY instead.
# `conn_string` is always given, else the library would read DATABASE_URL by its own rules.
COSTSITE_QUEUE_OPTIONS: dict[str, Any] = {
    "conn_string": env.conninfo(COSTSITE_POSTGRES),
    "init_extension": False,
    "use_notify": True,
    "wait_time_seconds": 0,
    "polling_interval": 2,
    "pool_size": 2,
    "visibility_timeout": _visibility_timeout_s,
}
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    COSTSITE_QUEUE_OPTIONS
    if CELERY_BROKER_URL.startswith("pgmq:")
    else {"visibility_timeout": _visibility_timeout_s}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker that dies gives its task back after the visibility timeout: a task may run twice, and is
# written so that this does no harm. Results are rows of our own, never Celery's.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# The queue in PostgreSQL has neither remote control nor events; health is the tick's heartbeat row.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Logging.

_log_level = env.choice(
    "COSTSITE_LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
# Ids and amounts only: never a prompt, a completion or a key.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "level": _log_level}
    },
    "root": {"handlers": ["stderr"], "level": _log_level},
    "loggers": {
        # Django's own handlers mail admins and print twice; ours is the root's.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # A line for every task that comes and goes would bury the ones that fail.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
