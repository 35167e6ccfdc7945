#!/bin/bash
set -eo pipefail
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
  find /var/lib/mysql /run/mysqld \! -user mysql -exec chown mysql: '{}' +
  exec gosu mysql "$0" "$@"
fi
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=normal
  mariadbd --bootstrap <<SQL
FLUSH PRIVILEGES;
CREATE DATABASE app;
CREATE USER app@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON app.* TO app@'%';
SQL
fi
exec "$@"
