"""Settings of the project, read from the environment. Every name is explained in .env.example."""

import os
from pathlib import Path

import environ
from celery.schedules import crontab

from geo.conf import BACKENDS
from project.providers import billing_providers

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
VAR_DIR.mkdir(exist_ok=True)

env = environ.Env()
environ.Env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

ENVIRONMENT = env.str("ENVIRONMENT", default="development")
DEVELOPMENT = ENVIRONMENT == "development"
DEFAULT_SECRET_KEY = "development-only-not-a-secret"
SECRET_KEY = env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY)
DEBUG = env.bool("DEBUG", default=DEVELOPMENT)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEVELOPMENT else []
)
PORT = env.int("PORT", default=8000)
SITE_URL = env.str("SITE_URL", default=f"http://127.0.0.1:{PORT}")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "geo",
    "billing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "billing.api.middleware.RequestIdMiddleware",
    "billing.api.middleware.CardNumberMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "billing.webhooks.middleware.WebhookMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"
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
            ]
        },
    }
]

BILLING_LEASE_SECONDS = env.float("BILLING_LEASE_SECONDS", default=120)

# Database: PostgreSQL by DATABASE_URL, else a SQLite file. SQLite needs all four of these: without
# IMMEDIATE a transaction that turns from reading to writing fails at once under load.
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON"
        ),
    }
    # A file, for threads share it; named by process, so that two test runs do not meet.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / f"test-{os.getpid()}.sqlite3")}
else:
    # A worker that hangs, or whose machine is gone, must not keep its row locks from the others;
    # what outlives its lease cannot be committed anyway.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
        "options", f"-c idle_in_transaction_session_timeout={BILLING_LEASE_SECONDS * 1000:.0f}"
    )
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache and broker: Redis where configured, else the database and a folder.
REDIS_URL = env.str("REDIS_URL", default="")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL or "filesystem://localhost")
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "django_cache",
        }
    }

# Where visitors are; docs/geo.md. Proxies append to X-Forwarded-For; what stands before their
# entries is not believed.
GEO_TRUSTED_PROXIES = env.int("GEO_TRUSTED_PROXIES", default=0)
GEO_BACKENDS = env.list("GEO_BACKENDS", default=list(BACKENDS))
GEO_DATABASE = env.str("GEO_DATABASE", default="")
GEO_COUNTRY_HEADER = env.str("GEO_COUNTRY_HEADER", default="")
GEO_CACHE_SECONDS = env.int("GEO_CACHE_SECONDS", default=86_400)
GEO_FAILURE_SECONDS = env.int("GEO_FAILURE_SECONDS", default=300)
GEO_TIMEOUT_SECONDS = env.float("GEO_TIMEOUT_SECONDS", default=2)
GEO_DAILY_BUDGET = env.dict("GEO_DAILY_BUDGET", cast={"value": int}, default={"ipapi": 1000})
GEO_IPAPI_URL = env.str("GEO_IPAPI_URL", default="https://ipapi.co")
GEO_IPAPI_KEY = env.str("GEO_IPAPI_KEY", default="")
GEO_IP_API_URL = env.str("GEO_IP_API_URL", default="http://ip-api.com/json")
GEO_IP_API_KEY = env.str("GEO_IP_API_KEY", default="")

# Counts for Prometheus are served where there is a token to ask for them with. The folder must be
# known before anything counts: each process of this machine keeps a file in it.
BILLING_METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
if BILLING_METRICS_TOKEN:
    METRICS_DIR = Path(env.str("METRICS_DIR", default=str(VAR_DIR / "metrics")))
    METRICS_DIR.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

LOGIN_REDIRECT_URL = "/admin/"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if not DEVELOPMENT:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$", r"^webhooks/"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "billing.api.exceptions.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cobro billing API",
    "DESCRIPTION": "Plans, subscriptions, payment methods and invoices over several providers.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/billing",
    "PREPROCESSING_HOOKS": ["billing.api.schema.strip_final_slash"],
    "ENUM_NAME_OVERRIDES": {"IntervalEnum": "billing.api.schema.INTERVALS"},
}

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_POOL_LIMIT = 4
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
BILLING_SWEEP_SECONDS = env.float("BILLING_SWEEP_SECONDS", default=15)
BILLING_RECONCILE_SECONDS = env.float("BILLING_RECONCILE_SECONDS", default=60)
CELERY_BEAT_SCHEDULE = {
    "drain-webhook-events": {
        "task": "billing.drain_webhook_events",
        "schedule": BILLING_SWEEP_SECONDS,
        "options": {"expires": 4 * BILLING_SWEEP_SECONDS},
    },
    "reconcile-unknown": {
        "task": "billing.reconcile_unknown",
        "schedule": BILLING_RECONCILE_SECONDS,
        "options": {"expires": 4 * BILLING_RECONCILE_SECONDS},
    },
    "carry-out-planned-ends": {
        "task": "billing.carry_out_planned_ends",
        "schedule": BILLING_RECONCILE_SECONDS,
        "options": {"expires": 4 * BILLING_RECONCILE_SECONDS},
    },
    "drain-outbox": {
        "task": "billing.drain_outbox",
        "schedule": BILLING_SWEEP_SECONDS,
        "options": {"expires": 4 * BILLING_SWEEP_SECONDS},
    },
    "prune": {
        "task": "billing.prune",
        "schedule": crontab(hour=3, minute=30),
        "options": {"expires": 6 * 3600},
    },
}
if CELERY_BROKER_URL.startswith("filesystem:"):
    QUEUE_DIR = Path(env.str("QUEUE_DIR", default=str(VAR_DIR / "queue")))
    for folder in ("messages", "control"):
        (QUEUE_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "control_folder": str(QUEUE_DIR / "control"),
        "polling_interval": 0.1,
    }
    CELERY_WORKER_POOL = "threads"
    CELERY_WORKER_CONCURRENCY = 2
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 300,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "max_retries": 1,
    }
    CELERY_WORKER_CONCURRENCY = env.int("CELERY_WORKER_CONCURRENCY", default=2)
    CELERY_TASK_SOFT_TIME_LIMIT = 60
    CELERY_TASK_TIME_LIMIT = 90

# Billing
BILLING_ORGANIZATION_MODEL = "billing.Organization"
BILLING_DEFAULT_CURRENCY = env.str("BILLING_DEFAULT_CURRENCY", default="USD")
BILLING_DRAIN_BATCH_SIZE = env.int("BILLING_DRAIN_BATCH_SIZE", default=500)
BILLING_DRAIN_SECONDS = env.float("BILLING_DRAIN_SECONDS", default=20)
BILLING_PLANNED_END_MINUTES = env.float("BILLING_PLANNED_END_MINUTES", default=60)
BILLING_PAYLOAD_DAYS = env.float("BILLING_PAYLOAD_DAYS", default=90)
BILLING_IDEMPOTENCY_LEASE_SECONDS = env.float("BILLING_IDEMPOTENCY_LEASE_SECONDS", default=90)
BILLING_RETRY_BASE_SECONDS = env.float("BILLING_RETRY_BASE_SECONDS", default=10)
BILLING_CALLER_RATE = env.str("BILLING_CALLER_RATE", default="600/minute")
BILLING_CARD_RATE = env.str("BILLING_CARD_RATE", default="10/hour")
BILLING_THROTTLE_STORAGE = REDIS_URL
BILLING_ROUTES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]
SANDBOX_PATH = Path(env.str("SANDBOX_PATH", default=str(VAR_DIR / "sandbox.sqlite3")))
BILLING_PROVIDERS = billing_providers(env, ENVIRONMENT, SANDBOX_PATH, SITE_URL)
if DEVELOPMENT:
    BILLING_CLOCK = "project.clock.now"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "mask_card_numbers": {"()": "billing.logs.MaskCardNumbers"},
        "request_id": {"()": "billing.logs.AddRequestId"},
    },
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
        "json": {"()": "billing.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["mask_card_numbers", "request_id"],
            "formatter": "plain" if DEVELOPMENT else "json",
        }
    },
    "loggers": {
        # Django's own handlers do not mask card numbers: its records go to ours instead.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # The SDK writes two lines per call; ours are written by billing.registry.
        "stripe": {"level": "WARNING"},
        # They write the path of each call, in which visitors' addresses stand; the second does
        # so at WARNING about malformed headers.
        "urllib3": {"level": "WARNING"},
        "urllib3.connection": {"level": "ERROR"},
        # Two lines per task; the drains write what they did.
        "celery": {"level": "WARNING"},
    },
    "root": {
        "handlers": ["console"],
        "level": env.str("LOG_LEVEL", default="WARNING" if DEVELOPMENT else "INFO"),
    },
}

UNFOLD = {
    "SITE_TITLE": "Cobro",
    "SITE_HEADER": "Cobro",
    "SITE_SUBHEADER": "Billing",
    "SITE_SYMBOL": "payments",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "billing.admin.dashboard.dashboard_callback",
    "SIDEBAR": {"show_search": True, "navigation": "project.admin.navigation"},
}
