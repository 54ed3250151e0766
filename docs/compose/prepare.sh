#!/bin/sh
# Makes what docker-compose.yml needs beside itself, in the folder it is in: secrets/ and .env. What
# is there already stays as it is, so it may be run again, as after an update that needs one more.
#
#   sh docs/compose/prepare.sh https://sync.acme.example ann@acme.example
#   sh docs/compose/prepare.sh --simulator          to try it out: http://localhost:8080
#   sh docs/compose/prepare.sh                      again, with the .env that is there
set -eu
cd "$(dirname "$0")/../.."

usage() {
	echo "usage: sh docs/compose/prepare.sh PUBLIC_URL ADMIN_EMAIL" >&2
	echo "       sh docs/compose/prepare.sh --simulator" >&2
	echo "       sh docs/compose/prepare.sh    again, when .env is there" >&2
	exit 2
}
url='' admin='' profiles='' hosts=''
case "$#:${1:-}" in
0:) [ -e .env ] || usage ;;
1:--simulator)
	url=http://localhost:8080 admin=admin@example.com
	profiles=simulator hosts=simforce.localhost:8090
	;;
2:http://* | 2:https://*) url=${1%/} admin=$2 ;;
*) usage ;;
esac

# Nobody but you enters the folder; in it the files can be read by the users of the containers.
mkdir -p secrets integrations backups
chmod 700 secrets backups
umask 022
once() { # NAME: what is on standard input, unless it is there
	if [ -s "secrets/$1" ]; then
		cat >/dev/null
	else
		cat >"secrets/$1.part"
		mv "secrets/$1.part" "secrets/$1"
		echo "made secrets/$1"
	fi
}
random() { # BYTES, as hex
	od -An -tx1 -N"$1" /dev/urandom | tr -d ' \n'
}
printf 'k1:%s\n' "$(head -c 32 /dev/urandom | base64)" | once encryption_keys
random 12 | once admin_password
random 24 | once postgres_password
random 24 | once temporal_postgres_password
random 12 | once grafana_admin_password
random 24 | once simulator_consumer_secret
printf 'postgres://salesforcesync:%s@postgres:5432/salesforcesync?sslmode=disable' "$(cat secrets/postgres_password)" | once database_url
# Your identity provider gives this one, if you have one.
[ -e secrets/oidc_client_secret ] || : >secrets/oidc_client_secret

if [ -e .env ]; then
	echo ".env is there and stays as it is"
else
	cat >.env <<EOT
PUBLIC_URL=$url
ADMIN_EMAIL=$admin
COMPOSE_PROFILES=$profiles
SALESFORCE_EXTRA_HOSTS=$hosts
BACKUP_AS=$(id -u):$(id -g)
EOT
	echo "made .env"
	echo "next: docker compose up -d --build"
	echo "then sign in at $url as $admin with the password in secrets/admin_password"
fi
