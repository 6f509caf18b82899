#!/usr/bin/env bash
# Finds a judge of the definition files that drrun types writes, and prints the path of its program:
#   lua-language-server  $LUALS, else built from its source as it was at the commit below (git, ninja, a C++ compiler); else
#   emmylua_check        another implementation of the same annotations, from its registry (cargo), where no source can be had
# Each is installed once, outside the repository. Set LUALS_DIR for another folder.
set -euo pipefail
source=https://github.com/LuaLS/lua-language-server
commit=7a73c7889c1ec981dfd76fba38f5096379f62f99
emmylua=0.25.1
emmylua_sha256=4170aa8cbbca1fb34defcdaeea9fe5c4fa07f444c0ffe9ff1cc8ec8ab1c40992
if [ -n "${LUALS:-}" ]; then
  echo "$LUALS"
  exit
fi
dir="${LUALS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/drrun-luals}"
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two runs at once would take each other's folder away

# The commit names all of the text, that of the submodules too.
build() {
  [ ! -x "$dir/$commit/bin/lua-language-server" ] || return 0
  local missing=() root=()
  command -v git >/dev/null || missing+=(git)
  command -v ninja >/dev/null || missing+=(ninja-build)
  command -v g++ >/dev/null || missing+=(g++)
  if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    "${root[@]}" apt-get update -q && DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}" || return
  fi
  rm -rf "$dir/build"
  mkdir "$dir/build" && cd "$dir/build" && git init -q || return
  GIT_TERMINAL_PROMPT=0 timeout 300 git fetch -q --depth 1 "$source" "$commit" && git checkout -q FETCH_HEAD || return
  git submodule --quiet update --init --depth 1 3rd/luamake 3rd/bee.lua 3rd/lpeglabel 3rd/EmmyLuaCodeStyle 3rd/json.lua || return
  git -C 3rd/luamake submodule --quiet update --init --depth 1 || return
  (cd 3rd/luamake && ./compile/build.sh) && 3rd/luamake/luamake rebuild -notest || return
  mv "$dir/build" "$dir/$commit"
}
if build >"$dir/build.log" 2>&1; then
  echo "$dir/$commit/bin/lua-language-server"
  exit
fi
echo "luals: lua-language-server could not be built ($(tail -n 1 "$dir/build.log")); emmylua_check judges instead" >&2

if [ ! -x "$dir/emmylua-$emmylua/bin/emmylua_check" ]; then
  command -v cargo >/dev/null || {
    echo "luals: no judge: name a lua-language-server with LUALS, or install cargo" >&2
    exit 1
  }
  rm -rf "$dir/cargo"
  CARGO_HOME="$dir/cargo" cargo install -q emmylua_check --version "$emmylua" --locked --root "$dir/emmylua-new" >&2
  echo "$emmylua_sha256  $(echo "$dir"/cargo/registry/cache/*/emmylua_check-"$emmylua".crate)" | sha256sum -c --quiet >&2
  rm -rf "$dir/cargo" "$dir/emmylua-$emmylua"
  mv "$dir/emmylua-new" "$dir/emmylua-$emmylua"
fi
echo "$dir/emmylua-$emmylua/bin/emmylua_check"
