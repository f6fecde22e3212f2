"""How gunicorn serves the web process: two workers with threads, and nothing in its log about callers.

What gunicorn itself has to say goes the way of every other line: JSON, masked, an error by its class alone.

The number of threads is `WEB_THREADS`; the address is given on the command line.
"""

from __future__ import annotations

import os

from jeevo import environment, logging

environment.load_dotenv()
_settings = environment.read(os.environ)

worker_class = "gthread"
workers = 2
threads = _settings.web_threads
graceful_timeout = 20
# Loaded once and forked: half the memory and half the time to start. Connections and pools are made after the fork.
preload_app = True
accesslog = None
loglevel = "warning"
logconfig_dict = logging.configuration(level=_settings.log_level)
logconfig_dict["loggers"]["gunicorn.error"] = {"level": "WARNING", "handlers": [], "propagate": True}
control_socket_disable = True
# Longer than the idle time of common proxies, so that it is they who close a connection and none is lost on the way.
keepalive = 75
