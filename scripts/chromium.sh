#!/bin/sh
# The console's tests need Chromium: find it, or install Debian's package, or say how.
set -eu

for name in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "== Chromium is missing: apt-get install chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "voltyard: the tests of the console need Chromium. On Debian: sudo apt-get install chromium;" >&2
echo "elsewhere name the program: CHROMIUM=/path/to/chromium make test" >&2
exit 1
