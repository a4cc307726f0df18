"""Pages and management API as a WSGI application, for Django's own tools.

The product is served by ``costsite.asgi``: only there are the gateway, its edge and the static files.
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")

application = get_wsgi_application()
