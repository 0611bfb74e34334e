#!/usr/bin/env bash
# tests/fault/test_hosts.sh with the default lease, again and again; about 10 minutes.
exec bash "$(dirname "$0")/../fault/test_hosts.sh" --long
