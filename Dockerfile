# One image for every process of Jeevo; docker-compose.yml gives each service its command.
#
#   docker build -t jeevo:0.1.0 .                            torch for the processor, from the public CPU index
#   docker build -t jeevo:0.1.0 --build-arg TORCH_INDEX= .   torch from the package index pip is set up with
#
# The first stage makes the environment and the static files; what built them stays behind.

FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_LINK_MODE=copy
ARG UV_VERSION=0.13.9
RUN pip install "uv==${UV_VERSION}" && python -m venv /opt/jeevo

# torch has a step of its own, without hashes: a lock would pin its CUDA packages on every machine.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN /opt/jeevo/bin/pip install torch==2.13.0 ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"}

WORKDIR /app
COPY requirements.txt ./
# Compiled here, because the containers have a read-only root.
RUN uv pip install --python /opt/jeevo/bin/python --no-deps --require-hashes --compile-bytecode -r requirements.txt

COPY . .
# A live service names static files by their content and finds the names in staticfiles.json. That storage is
# chosen by JEEVO_MODE=live, and live mode refuses to start without its secrets, so it is given fresh ones that
# live for this step only. Without DATABASE_URL and REDIS_URL nothing is connected to. The sandbox does not
# need the result: it serves the files from where they lie.
# hadolint ignore=SC2046
RUN export $(/opt/jeevo/bin/python -m jeevo.environment) \
    && export JEEVO_MODE=live JEEVO_DATA_DIR=/tmp/build/data JEEVO_KEYS_DIR=/tmp/build/keys \
        ALLOWED_HOSTS=build.invalid PUBLIC_URL=https://build.invalid \
        WHATSAPP_TOKEN=unused WHATSAPP_PHONE_NUMBER_ID=unused WHATSAPP_APP_SECRET=unused WHATSAPP_VERIFY_TOKEN=unused \
    && /opt/jeevo/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && test -s staticfiles/staticfiles.json \
    && rm -rf /tmp/build \
    && /opt/jeevo/bin/python -m compileall -q conversations jeevo knowledge operations \
    && chmod -R a+rX /app

FROM python:3.11-slim-bookworm

# An account without a shell, a password or a home; the numbers are fixed so that volumes can be prepared for them.
RUN groupadd --system --gid 10001 jeevo \
    && useradd --system --uid 10001 --gid jeevo --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin jeevo \
    && install -d -o jeevo -g jeevo -m 0700 /var/lib/jeevo/data /var/lib/jeevo/keys

# Both belong to root: what runs as jeevo cannot change its own code.
COPY --from=build /opt/jeevo /opt/jeevo
COPY --from=build /app /app

# HF_HOME: a model other than the bundled one is fetched once and kept with the data.
ENV PATH=/opt/jeevo/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=jeevo.settings \
    JEEVO_DATA_DIR=/var/lib/jeevo/data \
    JEEVO_KEYS_DIR=/var/lib/jeevo/keys \
    HF_HOME=/var/lib/jeevo/data/models

WORKDIR /app
USER 10001:10001
EXPOSE 8000
# For the web process. The other services of docker-compose.yml have no port to ask and switch it off.
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s --retries=3 CMD ["python", "deploy/docker/healthcheck.py"]
CMD ["python", "-m", "gunicorn", "jeevo.wsgi:application", "-c", "jeevo/gunicorn.py", "--bind", "0.0.0.0:8000"]
