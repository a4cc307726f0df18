"""The site as an ASGI application: one door, and behind it whoever answers best.

=================  ===============================================================================
``/static/...``    files, without Django
``/v1/...``        the gateway: Django's views and addresses, without threads and middleware
``/healthz``,      probes: no middleware, since they come by any host name and over plain HTTP
``/readyz``
everything else    Django as it is
=================  ===============================================================================

A body over the limit is refused here, before anything has read it whole.
"""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")
django.setup(set_prefix=False)

from costsite.edges.site import Site  # noqa: E402  apps must be there before handlers are

application = Site()
