"""The one settings file.

Values that differ between places come from `jeevo.environment`; everything else is the same in the
sandbox, in the tests and in a live service, so that what is tested is what runs.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import environ

from jeevo import embedded, logging
from jeevo.environment import ROOT, load_dotenv, read

load_dotenv()
ENVIRONMENT = read(os.environ)
LIVE = ENVIRONMENT.mode == "live"
# Read by prometheus_client when it is first imported: the values of these processes lie in files that all are merged from.
MEASURED = ("web", "dispatcher", "watcher", "operator", "worker-answers", "worker-indexing", "worker-operations", "beat")
METRICS_DIR = ENVIRONMENT.data / "metrics"
if os.environ.get("JEEVO_PROCESS") in MEASURED:
    _own = METRICS_DIR / os.environ["JEEVO_PROCESS"]
    _own.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_own)
BASE_DIR = ROOT

SECRET_KEY = ENVIRONMENT.secret_key
FIELD_KEYS = ENVIRONMENT.field_keys
INDEX_KEY = ENVIRONMENT.index_key
# Never on, not even in the sandbox: the debug page would print a patient's words.
DEBUG = False
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.public_url] if ENVIRONMENT.public_url else []

INSTALLED_APPS = [
    "jeevo.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "django_celery_beat",
    "django_prometheus",
    "health_check",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "knowledge",
    "conversations",
    "operations",
]

MIDDLEWARE = [
    "jeevo.request_ids.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "operations.unavailable.DatabaseAway",
    "jeevo.http_measures.HttpMeasures",
    # The last: it turns a refused sign-in into the page that says so.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "jeevo.urls"
WSGI_APPLICATION = "jeevo.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

_services = None
if ENVIRONMENT.database_url is None:
    _services = embedded.find(ENVIRONMENT.data, ENVIRONMENT.keys)
# False where the embedded services are wanted and do not run; manage.py then says how to start them.
SERVICES_FOUND = ENVIRONMENT.database_url is not None or _services is not None
_database_url = ENVIRONMENT.database_url or (_services.database_url if _services else "postgres://jeevo@127.0.0.1:1/jeevo")
_redis_url = ENVIRONMENT.redis_url or (_services.redis_url if _services else "redis://127.0.0.1:1")


def _database() -> dict[str, Any]:
    options: dict[str, Any] = {
        # Without it a question travels inside the SQL text and shows in pg_stat_activity.
        "server_side_binding": True,
        "connect_timeout": 3,
        # Iterative scan: a filtered top-100 gave 17 rows without it.
        # A small query gains nothing from helpers or compilation and pays milliseconds for them.
        "options": "-c hnsw.iterative_scan=strict_order -c hnsw.ef_search=120 -c statement_timeout=30000"
        " -c random_page_cost=1.1 -c max_parallel_workers_per_gather=0 -c jit=off",
        "application_name": os.environ.get("JEEVO_PROCESS", "manage"),
    }
    # Celery closes Django's pool at every task boundary, so only the web process has one.
    if os.environ.get("JEEVO_PROCESS") == "web":
        options["pool"] = {"min_size": 1, "max_size": ENVIRONMENT.web_threads + 1, "timeout": 3}
    config: dict[str, Any] = environ.Env.db_url_config(_database_url)  # type: ignore[no-untyped-call]
    config |= {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0, "OPTIONS": config.get("OPTIONS", {}) | options}
    # A restore ends every connection; of the web's pool each would answer one request with an error, hours later perhaps.
    config["CONN_HEALTH_CHECKS"] = True
    if os.environ.get("JEEVO_PROCESS") != "web":
        config["CONN_MAX_AGE"] = None
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

BROKER_URL = f"{_redis_url}/0"
CACHE_URL = f"{_redis_url}/1"
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "TIMEOUT": 300,
        "KEY_PREFIX": "jeevo",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
    }
}

CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# A process of the answers lane loads the model before it reports itself alive.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 180
CELERY_TASK_DEFAULT_QUEUE = "operations"
# A broker that accepts TCP and never answers was measured to hang a publish for over a minute.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "visibility_timeout": 600,
    "health_check_interval": 10,
}
# Besides each app's `tasks`.
CELERY_IMPORTS = ("knowledge.import_tasks",)
CELERY_BEAT_SCHEDULE = {
    # A run that finds nothing is one indexed query; one that nobody takes in time is dropped.
    "Index documents that wait": {"task": "knowledge.index_due", "schedule": 15.0, "options": {"expires": 15}},
    "Read files that were brought": {"task": "knowledge.import_due", "schedule": 15.0, "options": {"expires": 15}},
    "Forget refused files a week old": {
        "task": "knowledge.forget_import_files",
        "schedule": 86400.0,
        "options": {"expires": 3600},
    },
    "Go on with a new embedding index": {"task": "knowledge.reindex_due", "schedule": 15.0, "options": {"expires": 15}},
    # Questions from before a change of the embedding model are grouped by meaning again.
    "Place unanswered questions": {"task": "conversations.fill_question_vectors", "schedule": 300.0, "options": {"expires": 300}},
    "Forget what staff tried a week ago": {
        "task": "conversations.forget_trials",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}
CELERY_TASK_ROUTES = {
    "conversations.*": {"queue": "answers"},
    "knowledge.*": {"queue": "indexing"},
    "operations.*": {"queue": "operations"},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
# The first only refuses who is locked out; the second signs in.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# Who goes on trying is not kept out for longer than the page said.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_LOCKOUT_CALLABLE = "operations.lockout.locked"
AXES_USERNAME_CALLABLE = "operations.lockout.known_name"
AXES_CLIENT_IP_CALLABLE = "operations.lockout.client_address"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "confirmation", "code"]
# No row for every sign-in: the account itself says when it last came. Failures go when they are too old to count.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# Its lists show addresses and forms; `operations.people` shows what an operator needs.
AXES_ENABLE_ADMIN = False
OTP_TOTP_ISSUER = ENVIRONMENT.service_name
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
# Live, files are collected once and served with their hash; elsewhere they come from where they lie.
STATIC_ROOT = ROOT / "staticfiles" if LIVE else None
STATICFILES_DIRS = [ROOT / "static"]
STATICFILES_STORAGE_BACKEND = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage" if LIVE else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": STATICFILES_STORAGE_BACKEND},
}
if ENVIRONMENT.offsite.url:
    STORAGES["offsite"] = ENVIRONMENT.offsite.storage
MEDIA_ROOT = ENVIRONMENT.data / "media"
WHITENOISE_USE_FINDERS = not LIVE
WHITENOISE_KEEP_ONLY_HASHED_FILES = LIVE

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "manifest-src": ["'self'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LIVE
SECURE_SSL_REDIRECT = LIVE
SECURE_HSTS_SECONDS = 31_536_000 if LIVE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = LIVE
if ENVIRONMENT.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A load balancer, Prometheus and Alertmanager ask over plain HTTP on the private network.
SECURE_REDIRECT_EXEMPT = [r"^health(/|$)", r"^metrics/?$", r"^api/alerts/?$"]
# The webhook refuses above its own limit of 3 MB, with 413.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
# The import page takes files by handlers of its own, up to UPLOAD_LIMIT_MB; no other page has use for one.
FILE_UPLOAD_HANDLERS = ["knowledge.uploads.NoFiles"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    # Every token of an account together. A question costs a worker's time; reading costs a query.
    "DEFAULT_THROTTLE_RATES": {"read": "300/min", "search": "60/min", "ask": "20/min", "alerts": "300/min"},
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # No address takes ?format=: there is one.
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Jeevo",
    "DESCRIPTION": (
        "Reads the documents of this helpline, searches them, and asks as a patient would. Answers are general health"
        " information from the documents that its clinicians published, and no diagnosis. Every address needs a token:"
        " `manage.py api_token NAME` makes one."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "TAGS": [{"name": "Search"}, {"name": "Ask"}, {"name": "Documents"}],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "PREPROCESSING_HOOKS": ["knowledge.api_schema.ours"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "knowledge.api_schema.finished"],
    "ENUM_NAME_OVERRIDES": {
        "DocumentStatus": "knowledge.models.Document.Status",
        "AnswerKind": "conversations.models.Answer.Kind",
        "OpenStatus": ["waiting", "running"],
        "DoneStatus": ["done"],
    },
}

# Without a mail server, mail lies as files in the data folder, where the sandbox shows what would have been sent.
EMAIL_BACKEND, EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", ENVIRONMENT.data / "mail"
if ENVIRONMENT.email_url:
    globals().update(environ.Env.email_url_config(ENVIRONMENT.email_url))  # type: ignore[no-untyped-call]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENVIRONMENT.email_from

LOGGING = logging.configuration(level=ENVIRONMENT.log_level)
