#!/bin/sh
# What people write who need no product: ask for a job, get its pages, load them, and merge
# what has changed. psql finds its server in the environment.
# Arguments: address of the API, file with the Authorization header, folder, file with the query.
set -eu
api=$1 auth=$2 folder=$3 query=$4

id=$(curl -sSf -H "@$auth" -H 'Content-Type: application/json' -d "@$query" "$api/jobs/query" |
	sed 's/.*"id":"\([^"]*\)".*/\1/')
until curl -sSf -H "@$auth" "$api/jobs/query/$id" | grep -q '"state":"JobComplete"'; do
	sleep 0.1
done

psql -X -q -v ON_ERROR_STOP=1 -c 'truncate arrived'
locator=
until [ "$locator" = null ]; do
	curl -sSf -H "@$auth" -D "$folder/head" -o "$folder/page.csv" "$api/jobs/query/$id/results${locator:+?locator=$locator}"
	locator=$(tr -d '\r' <"$folder/head" | sed -n 's/^[Ss]force-[Ll]ocator: //p')
	psql -X -q -v ON_ERROR_STOP=1 -c "\\copy arrived from '$folder/page.csv' with (format csv, header)"
	rm "$folder/page.csv"
done
psql -X -q -v ON_ERROR_STOP=1 -f "$folder/merge.sql"
curl -sSf -H "@$auth" -X DELETE "$api/jobs/query/$id"
