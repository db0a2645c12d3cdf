# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# What every script in ci/ shares: messages, paths, help and the lock. Sourced, never run.

HALCYON_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# The scripts call CMake presets, whose build directories are fixed relative to the tree; so are these.
# shellcheck disable=SC2034
HALCYON_BUILD=$HALCYON_ROOT/build
HALCYON_SELF=$(basename "$0")

# say TEXT...: one line of progress or verdict. Always on stderr, so that stdout is a script's product alone.
say() {
    printf '%s: %s\n' "$HALCYON_SELF" "$*" >&2
}

# warn TEXT...: something is not as expected, and the script can go on.
warn() {
    say "warning: $*"
}

# die MESSAGE [FIX]: ends the script with status 1. FIX tells the reader what to do about it.
die() {
    say "error: $1"
    [ -z "${2-}" ] || say "fix: $2"
    exit 1
}

# usage_error MESSAGE: a mistake on the command line; status 2.
usage_error() {
    say "error: $1"
    say "fix: see $HALCYON_SELF --help"
    exit 2
}

# show_help: prints the comment block that follows the licence line of the calling script.
show_help() {
    sed -n '/^# SPDX/d; 2,/^[^#]/ { s/^# \{0,1\}//; t print; d; :print; p; }' "$0"
}

# need_value OPTION COUNT: refuses an option that stands last without its value. COUNT is $# at the option.
need_value() {
    [ "$2" -ge 2 ] || usage_error "$1 needs a value"
}

# with_lock FILE: holds an exclusive lock on FILE until the script ends. Waits for another holder and says so.
# Children inherit the descriptor, so whatever outlives the script must be started with 9>&-.
with_lock() {
    mkdir -p "$(dirname "$1")"
    exec 9>"$1"
    if ! flock -n 9; then
        say "waiting for another $HALCYON_SELF to finish"
        flock 9
    fi
}

# run_logged LOG WHAT FIX COMMAND...: runs a command silently; if it fails, shows the end of its output and dies.
run_logged() {
    local log=$1 what=$2 fix=$3
    shift 3
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        die "$what failed (all of its output: $log)" "$fix"
    fi
}
