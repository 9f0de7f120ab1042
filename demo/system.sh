#!/bin/sh
# Installs the system packages that clefkit needs and that are missing: libfluidsynth, libatomic, a soundfont, and
# Python's venv.
set -eu

PYTHON=${PYTHON:-python3}
missing=""

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "clefkit needs Python 3.11 or newer; $PYTHON is $("$PYTHON" --version 2>&1). Try: make PYTHON=python3.12 $*" >&2
    exit 1
}
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
has() { "$PYTHON" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library(sys.argv[1]))' "$1"; }
has fluidsynth || missing="$missing libfluidsynth3"
has atomic || missing="$missing libatomic1" # for pedalboard
find /usr/share/sounds /usr/share/soundfonts -name '*.sf[23]' 2>/dev/null | grep -q . || missing="$missing fluid-soundfont-gm"
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "no apt-get here; install these with your package manager, then run make again:$missing" >&2
    echo "(Fedora: fluidsynth-libs fluid-soundfont-gm; Arch: fluidsynth soundfont-fluid; macOS: brew install fluid-synth)" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "not root and no sudo; as root run: apt-get install$missing" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of words
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
