#!/bin/sh
# Make what compose.yaml needs and nobody else may have: certificates of a throw-away CA, the users of the bus, secrets, a
# password. They are for the user who runs this (as root: for the images' own user), whom the containers run as too.
set -eu
umask 077
cd "$(dirname "$0")"
if [ -e .env ]; then
    echo "deploy/compose/.env is there already: take it and \`made\` away to begin anew." >&2
    exit 1
fi
rm -rf made
mkdir -p made/nats made/postgres made/users

request() { # name, folder
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$2/tls.key" -out "$2/tls.csr" 2>/dev/null
}

signed() { # folder, names
    printf 'subjectAltName=%s\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n' "$2" >made/names
    openssl x509 -req -in "$1/tls.csr" -CA made/ca/tls.crt -CAkey made/ca/tls.key -CAcreateserial -days 365 -sha256 \
        -extfile made/names -out "$1/tls.crt" 2>/dev/null
    cp made/ca/tls.crt "$1/ca.crt"
}

mkdir made/ca
request "Tellonce on one machine" made/ca
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n' >made/names
openssl x509 -req -in made/ca/tls.csr -signkey made/ca/tls.key -days 365 -sha256 -extfile made/names -out made/ca/tls.crt 2>/dev/null
request nats made/nats
signed made/nats DNS:nats-1,DNS:nats-2,DNS:nats-3
request postgres made/postgres
signed made/postgres DNS:postgres
cp made/ca/tls.crt made/ca.crt
# Nobody signs by it again.
rm -r made/ca made/names
rm made/*/tls.csr

sed -n 's/^\([A-Z_]*\)=.*/\1/p' ../embedded/secrets.env | while read -r name; do
    echo "$name=$(openssl rand -hex 24)"
done >made/secrets.env
user=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then
    user=10001:10001
    chown -R "$user" made
fi
tools=$(sed -n 's/^ *image: \(tellonce-tools:.*\)/\1/p' compose.yaml | head -n 1)
policy=$(realpath "${TELLONCE_POLICY:-../embedded/policy.yaml}")
docker run --rm --network none --user "$user" --volume "$PWD/made:/made" --volume "$policy:/policy.yaml:ro" \
    --entrypoint python "$tools" \
    -m deploy.bus_users /made/users --policy /policy.yaml >/dev/null
cp -p made/users/users.conf made/nats/
printf 'TELLONCE_USER=%s\nPOSTGRES_PASSWORD=%s\n' "$user" "$(openssl rand -hex 24)" >.env
