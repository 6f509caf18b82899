#!/usr/bin/env bash
# Installs the foreign clients that judge the lab, and prints the folder that has them. It runs only when something is missing.
#   venv/       Python with the official SDK and ansible-core
#   sdk/        the source of the SDK, with its examples
#   collection/ the official ansible collection, out of the package ansible
# Versions and digests stand in sdist.txt, collection.txt and requirements.txt beside this file.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
dir="${INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/drrun-interop}"
want="$(cat "$here"/setup.sh "$here"/sdist.txt "$here"/collection.txt "$here"/requirements.txt | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$want" ]; then
  echo "$dir"
  exit
fi

missing=()
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v gcc >/dev/null || missing+=(gcc)
command -v curl-config >/dev/null || missing+=(libcurl4-openssl-dev)
command -v xml2-config >/dev/null || missing+=(libxml2-dev)
python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || missing+=(python3-dev)
[ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
if [ ${#missing[@]} -gt 0 ]; then
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  { "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -q -y "${missing[@]}"; } >&2 || {
    echo "interop: install ${missing[*]}, then try again" >&2
    exit 1
  }
fi

rm -rf "$dir"
mkdir -p "$dir/download" "$dir/sdk" "$dir/collection"
python3 -m venv "$dir/venv"
pip() { "$dir/venv/bin/python" -m pip --disable-pip-version-check -q "$@" >&2; }
pip download --no-deps --require-hashes --no-binary :all: -d "$dir/download" -r "$here/sdist.txt"
pip download --no-deps --require-hashes -d "$dir/download" -r "$here/collection.txt"
pip install -r "$here/requirements.txt"
pip install --no-deps "$dir"/download/ovirt_engine_sdk_python-*.tar.gz
tar -xzf "$dir"/download/ovirt_engine_sdk_python-*.tar.gz -C "$dir/sdk" --strip-components 1
"$dir/venv/bin/python" - "$dir"/download/ansible-*.whl "$dir/collection" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [n for n in wheel.namelist() if n.startswith("ansible_collections/ovirt/")])
PYTHON
rm -rf "$dir/download"
echo "$want" >"$dir/stamp"
echo "$dir"
