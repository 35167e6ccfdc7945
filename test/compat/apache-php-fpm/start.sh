#!/bin/sh
set -e
php-fpm8.2 --daemonize
exec apache2ctl -D FOREGROUND
