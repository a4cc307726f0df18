"""The pages and the management API as a WSGI application; the gateway needs the ASGI one."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")

application = get_wsgi_application()
