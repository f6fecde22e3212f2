#!/bin/bash
# Runs once, when the database's volume is empty. The application's account is no superuser: it may make
# databases (restores, tests) and stream the log (backups), so the extension is made for it here. In template1,
# so that every database made later has it too.
set -euo pipefail

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=template1 \
    --command="CREATE EXTENSION IF NOT EXISTS vector"

# \getenv: a password given as an argument would show in the list of processes.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv password DATABASE_PASSWORD
CREATE ROLE jeevo LOGIN CREATEDB REPLICATION PASSWORD :'password';
CREATE DATABASE jeevo OWNER jeevo;
-- So that writes wait for the received log, and no longer when its receiver is away.
GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO jeevo;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO jeevo;
SQL

# The image lets clients of its network in with a password, but not for replication.
echo "host replication jeevo samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
