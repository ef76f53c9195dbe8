#!/bin/sh
# Makes the certificates and passwords of the profile `secured` of docker-compose.yml, once:
#
#     sh deploy/secured/make-secrets.sh
#
# It needs openssl. The files are for this machine only. In a company, certificates come from your authority, and users
# from whoever runs Kafka. The folder is closed to others; the files are readable, because containers with other users
# read them, each those that docker-compose.yml gives it.
set -eu
folder=${1:-$(dirname "$0")/secrets}
if [ -e "$folder" ]; then
    echo "$folder exists: remove it, and the volume of the broker, to make new secrets" >&2
    exit 1
fi
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

issue() { # issue NAME HOSTS: a key and a certificate with this common name
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    echo "subjectAltName=$2" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile "$1.ext" -out "$1.crt"
    rm "$1.csr" "$1.ext"
}

{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=triggers-development \
        -keyout ca.key -out ca.crt
    issue broker DNS:secured-kafka,DNS:localhost
    issue admin DNS:admin
} 2> openssl.log || { cat openssl.log >&2; exit 1; }

cat broker.key broker.crt > broker.pem
printf '%s\n' security.protocol=SSL ssl.keystore.type=PEM ssl.keystore.location=/run/secrets/broker \
    ssl.truststore.type=PEM ssl.truststore.location=/run/secrets/kafka-ca > healthcheck.properties
for user in agent api celery client console operator; do
    openssl rand -hex 32 > "$user-password"
done
rm broker.key broker.crt openssl.log ca.srl
chmod 644 ./*
chmod 600 ca.key
echo "made $folder: docker compose up --build secured"
