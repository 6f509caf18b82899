#!/usr/bin/env bash
# Installs the foreign clients that judge the lab, and prints the folder that has them. It runs only when something is missing.
#   venv/       Python with the official SDK and ansible-core
#   sdk/        the source of the SDK, with its examples
#   collection/ the official ansible collection, out of the package ansible
# Versions and digests stand in sdist.txt, collection.txt and requirements.txt beside this file. Set INTEROP_DIR for another folder.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
dir="${INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/drrun-interop}"
want="$(cat "$here"/setup.sh "$here"/sdist.txt "$here"/collection.txt "$here"/requirements.txt | sha256sum | cut -d' ' -f1)"
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two runs at once would take each other's folder away
if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$want" ]; then
  echo "$dir"
  exit
fi

# Debian's packages, where their files are missing. libcurl comes with pycurl's wheel.
missing=()
command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v xml2-config >/dev/null || missing+=(libxml2-dev)
python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || missing+=(python3-dev)
if [ ${#missing[@]} -gt 0 ]; then
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  { "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2 || {
    echo "interop: the foreign clients need ${missing[*]}, which could not be installed: run, as root," >&2
    echo "  apt-get install ${missing[*]}" >&2
    echo "then try again" >&2
    exit 1
  }
fi

rm -rf "$dir"/{stamp,venv,sdk,collection,download}
mkdir -p "$dir"/{sdk,collection,download}
python3 -m venv "$dir/venv"
pip() { "$dir/venv/bin/python" -m pip --disable-pip-version-check -q "$@" >&2; }
pip download --no-deps --require-hashes -d "$dir/download" -r "$here/collection.txt" &
collection=$!
pip install --no-deps --require-hashes --only-binary :all: -r "$here/requirements.txt"
pip download --no-deps --require-hashes --no-binary :all: --no-build-isolation -d "$dir/download" -r "$here/sdist.txt"
wait "$collection"
pip install --no-deps --no-build-isolation "$dir"/download/ovirt_engine_sdk_python-*.tar.gz
tar -xzf "$dir"/download/ovirt_engine_sdk_python-*.tar.gz -C "$dir/sdk" --strip-components 1
"$dir/venv/bin/python" - "$dir"/download/ansible-*.whl "$dir/collection" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [n for n in wheel.namelist() if n.startswith("ansible_collections/ovirt/")])
PYTHON
rm -rf "$dir/download"
echo "$want" >"$dir/stamp"
echo "$dir"
