#!/usr/bin/env bash
# check_symbols.sh NM ISA OBJECT...: fails if an object defines a global or weak symbol outside
# namespace wavetree::ISA. A weak AVX-512 copy of a shared function that the linker happens to keep
# would crash older processors.
set -euo pipefail

nm=$1 isa=$2
shift 2
# Names in the namespace start with N8wavetree2v4; function-local statics and their guards have a prefix.
own="^_Z(GV|Z|GVZ)?NK?8wavetree${#isa}${isa}[0-9]"
symbols=$("$nm" --defined-only --extern-only --format=posix "$@" | awk 'NF > 1 { print $1 }' | sort -u)
[[ -n $symbols ]] || { echo "no symbols in $*" >&2; exit 1; }
strangers=$(grep -Ev "$own" <<< "$symbols" || true)
if [[ -n $strangers ]]; then
    echo "symbols outside wavetree::$isa:" >&2
    c++filt <<< "$strangers" >&2
    exit 1
fi
echo "$(wc -l <<< "$symbols") symbols, all in wavetree::$isa"
