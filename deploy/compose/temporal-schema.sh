#!/bin/sh
# Creates Temporal's two databases and brings their schemas up to date. Safe to run again. SQL_* are read by temporal-sql-tool.
set -eu

schema() {
  database=$1 folder=$2
  temporal-sql-tool --db "$database" create
  # Version 0.0 exists once it was set up; an update then starts from the version the database has.
  temporal-sql-tool --db "$database" setup-schema --version 0.0
  temporal-sql-tool --db "$database" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$folder/versioned"
}

schema temporal temporal
schema temporal_visibility visibility
