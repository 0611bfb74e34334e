#!/bin/sh
# certificates.sh DIR - makes in DIR what TLS tests need:
#   ca.crt             the authority that signed the rest
#   other.crt          an authority that signed nothing
#   server.crt, .key   for localhost and 127.0.0.1
#   elsewhere.crt      the same key, for another host
#   old.crt            the same key, run out yesterday
#   client.pem         certificate and key of a client, in one file
set -eu
cd "$1"

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 \
        -keyout "$1.key" -out "$1.crt" -subj "/CN=$1" 2>/dev/null
}
request() { # NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
}
certificate() { # REQUEST NAME SUBJECT_ALT_NAME OPTION...
    request=$1 name=$2
    printf 'subjectAltName=%s\n' "$3" > extensions
    shift 3
    openssl x509 -req -in "$request.csr" -CA ca.crt -CAkey ca.key -CAcreateserial \
        -out "$name.crt" -extfile extensions "$@" 2>/dev/null
}

authority ca
authority other
request server
certificate server server 'DNS:localhost,IP:127.0.0.1' -days 7
certificate server elsewhere 'DNS:elsewhere.example' -days 7
# The second way is that of OpenSSL 3.4 and later.
certificate server old 'DNS:localhost,IP:127.0.0.1' -days -1 ||
    certificate server old 'DNS:localhost,IP:127.0.0.1' \
        -not_before 20200101000000Z -not_after 20200102000000Z
request client
certificate client client 'DNS:client.example' -days 7
cat client.crt client.key > client.pem
