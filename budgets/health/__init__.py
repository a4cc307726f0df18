"""Health: the heartbeat of the background work, and what stands between the site and ready."""
