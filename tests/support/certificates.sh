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
certificate() { # REQUEST NAME DAYS SUBJECT_ALT_NAME
    printf 'subjectAltName=%s\n' "$4" > extensions
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial \
        -out "$2.crt" -days "$3" -extfile extensions 2>/dev/null
}

authority ca
authority other
request server
certificate server server 7 'DNS:localhost,IP:127.0.0.1'
certificate server elsewhere 7 'DNS:elsewhere.example'
certificate server old -1 'DNS:localhost,IP:127.0.0.1'
request client
certificate client client 7 'DNS:client.example'
cat client.crt client.key > client.pem
