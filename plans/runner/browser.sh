#!/usr/bin/env bash
# Installs what the tests with the build tag browser need, where it is missing: a Chromium, and pdftotext to read what it printed.
set -euo pipefail
missing=()
found=${DRRUN_CHROMIUM:-}
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  [ -n "$found" ] || found=$(command -v "$name" || true)
done
[ -n "$found" ] || missing+=(chromium)
command -v pdftotext >/dev/null || missing+=(poppler-utils)
[ ${#missing[@]} -gt 0 ] || exit 0
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
{ "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2 || {
  echo "browser: the tests need ${missing[*]}, which could not be installed: run, as root," >&2
  echo "  apt-get install ${missing[*]}" >&2
  echo "then try again; or name a Chromium with DRRUN_CHROMIUM" >&2
  exit 1
}
