"""How gunicorn serves the web process: two workers with threads, and nothing in its log about callers.

The number of threads is `WEB_THREADS`; the address is given on the command line.
"""

from __future__ import annotations

import os

from jeevo import environment

environment.load_dotenv()

worker_class = "gthread"
workers = 2
threads = environment.read(os.environ).web_threads
graceful_timeout = 20
# Loaded once and forked: half the memory and half the time to start. Connections and pools are made after the fork.
preload_app = True
accesslog = None
loglevel = "warning"
control_socket_disable = True
# Longer than the idle time of common proxies, so that it is they who close a connection and none is lost on the way.
keepalive = 75
