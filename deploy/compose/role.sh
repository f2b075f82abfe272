# Run by Postgres' image when it makes the database: the role that the worker connects as.
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/worker_password)" -U postgres -d shop <<< \
    "create role unstale login password :'password'"
