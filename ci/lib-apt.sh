# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# What the scripts share that make something of Debian's packages: apt directories of their own, and a product with a
# stamp. Sourced after ci/lib.sh, never run. The machine's apt set-up is read (mirrors, proxies) and never changed;
# signatures are checked with Debian's archive keys; root is not needed. Who sources this sets first:
#
#   PRODUCT        the directory of its outputs
#   KEPT           that of all else that it keeps, apt/, packages/ and its stamp: PRODUCT, or within it
#   SUITE          the Debian release of the packages
#   ARCHITECTURE   of the packages
#   RECIPE         array: files of the tree that the outputs depend on, beside the packages
#   OUTPUTS        array: names in PRODUCT that the script makes
#
# shellcheck disable=SC2153,SC2154

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT=$KEPT/apt
DEBS=$KEPT/packages
LIST=$DEBS/SHA256SUMS
STAMP=$KEPT/.recipe

# A path as apt's configuration language wants it. It has no escape for a quote in a string.
apt_path() {
    case $1 in
    *'"'* | *$'\n'*) die "apt cannot work in a directory with this name: $1" "move the tree" ;;
    esac
    printf '"%s"' "$1"
}

# Read with -c, that is after the machine's own files, whose hooks would act on the machine's lists and caches.
write_apt_configuration() {
    # Here, because what dies below dies in a subshell.
    apt_path "$APT" >/dev/null
    mkdir -p "$APT"/{lists/partial,cache/archives/partial,state,sources,preferences}
    : >"$APT/status"
    cat >"$APT/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
#clear APT::Default-Release;
APT::Architecture "$ARCHITECTURE";
APT::Architectures { "$ARCHITECTURE"; };
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State $(apt_path "$APT/state");
Dir::State::Lists $(apt_path "$APT/lists");
Dir::State::status $(apt_path "$APT/status");
Dir::Cache $(apt_path "$APT/cache");
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts $(apt_path "$APT/sources");
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts $(apt_path "$APT/preferences");
END
}

apt_update() {
    [ -r "$KEYRING" ] || die "Debian's archive keys are not installed ($KEYRING)" "run ci/setup"
    write_apt_configuration
    rm -f -- "$APT"/sources/*
    "$HALCYON_ROOT/ci/guest-apt-sources" "$SUITE" "$ARCHITECTURE" "$KEYRING" >"$APT/sources/debian.sources" ||
        die "this machine's apt sources have no entry for a release of Debian (main)" \
            "add your Debian mirror's line for '$SUITE main' to /etc/apt/sources.list"
    say "reading the lists of Debian's $ARCHITECTURE packages ($SUITE)"
    run_logged "$APT/update.log" "apt-get update" "check the network, or the mirrors in $APT/sources" \
        apt-get -c "$APT/apt.conf" -q --error-on=any update
}

# download_packages NAME...: in place of those that are there, once all have come. After apt_update.
download_packages() {
    local new=$KEPT/packages.new
    if [ $# -gt 20 ]; then say "downloading $# packages"; else say "downloading $*"; fi
    rm -rf -- "$new"
    mkdir -p "$new"
    (cd "$new" && run_logged "$APT/download.log" "the download" "check the network, then run ci/$HALCYON_SELF again" \
        apt-get -c "$APT/apt.conf" -q download "$@")
    (cd "$new" && sha256sum -- *.deb >SHA256SUMS)
    rm -rf -- "$DEBS"
    mv -- "$new" "$DEBS"
}

# packages_are_complete NAME...: a package of each name, or of a name that begins so, is there and whole.
packages_are_complete() {
    local name
    [ -f "$LIST" ] || return 1
    for name in "$@"; do
        grep -q "  $name" "$LIST" || return 1
    done
    (cd "$DEBS" && sha256sum --quiet --check SHA256SUMS) >/dev/null 2>&1
}

# package_file NAME: the path of the package of this name, or of the one whose name begins so.
package_file() {
    compgen -G "$DEBS/$1*.deb" || die "no package $1 in $DEBS" "ci/$HALCYON_SELF --refresh"
}

# The packages' names, versions and sums, one to a line.
list_package_versions() {
    local deb
    for deb in "$DEBS"/*.deb; do
        # shellcheck disable=SC2016
        dpkg-deb --show --showformat '${Package} ${Version} ${Architecture} ' "$deb"
        sha256sum <"$deb" | cut -d' ' -f1
    done
}

# The outputs depend on these scripts and on the packages, and on nothing else.
recipe_hash() {
    (cd "$HALCYON_ROOT" && cat -- "${RECIPE[@]}" && cat -- "$LIST") 2>/dev/null | sha256sum | cut -d' ' -f1
}

outputs_are_current() {
    local output
    [ -f "$STAMP" ] && [ -f "$LIST" ] && [ "$(cat "$STAMP")" = "$(recipe_hash)" ] || return 1
    for output in "${OUTPUTS[@]}"; do
        [ -e "$PRODUCT/$output" ] || return 1
    done
}

# Puts a new directory in `work`, which goes away with the script; what is made in work/out can be published.
begin_work() {
    rm -rf -- "$KEPT"/.work.*
    work=$(mktemp -d "$KEPT/.work.XXXXXX")
    trap 'rm -rf -- "$work"' EXIT
    chmod 755 "$work"
    mkdir "$work/out"
}

# The stamp goes first and comes last: an interruption between the renames leaves outputs that count as stale.
publish() {
    local output
    rm -f -- "$STAMP"
    # Ninja compares dates, and those of the packages are older than what may have been built already.
    find "$work/out" -exec touch -- {} +
    for output in "${OUTPUTS[@]}"; do
        [ ! -d "$PRODUCT/$output" ] || rm -rf -- "${PRODUCT:?}/$output"
        mv -fT -- "$work/out/$output" "$PRODUCT/$output"
    done
    recipe_hash >"$STAMP.new"
    mv -f -- "$STAMP.new" "$STAMP"
}
