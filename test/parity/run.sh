#!/usr/bin/env bash
# Parity with an independent float64 implementation: a private Python environment with JAX, the programs of reference.py in it, their .opt twins
# by Saddle, and the comparison. Where Python or the packages cannot be had the step is skipped, loudly; a difference fails it.
#
#   bash test/parity/run.sh                     everything
#   bash test/parity/run.sh rules reference     one case, on one device
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cache="${SADDLE_PARITY:-$root/.cache/parity}"
venv="$cache/venv"
inputs="$cache/run"

skip() {
  echo
  echo "!!! PARITY SKIPPED: $1" >&2
  echo "parity: 0 passed, 0 failed, 1 skipped"
  exit 0
}

python="$(command -v python3 || true)"
[ -n "$python" ] || skip "there is no python3"
mkdir -p "$cache"
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  rm -rf "$venv"
  "$python" -m venv "$venv" >"$cache/install.log" 2>&1 || skip "python3 -m venv failed (on Debian: apt-get install python3-venv); see $cache/install.log"
  echo "installing JAX into $venv, once …"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >"$cache/install.log" 2>&1 ||
    skip "pip could not install JAX; see $cache/install.log"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi

rm -rf "$inputs"
mkdir -p "$inputs"
cd "$root"
node --import tsx "$here/run.ts" inputs "$inputs"
# Settings for old OpenBLAS builds do not concern JAX.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$venv/bin/python" "$here/reference.py" "$inputs" ${1:+"$1"}
node --import tsx "$here/run.ts" compare "$inputs" "$@"
