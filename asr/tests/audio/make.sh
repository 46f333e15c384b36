#!/usr/bin/env bash
# Makes the tiny recordings of this folder anew: one second, 440 Hz on the left and 1000 Hz on the right,
# in each container the gateway must read. Needs ffmpeg (Debian package). No speech, nobody's work.
set -euo pipefail
cd "$(dirname "$0")"
source_tones=(-f lavfi -i "sine=frequency=440:duration=1:sample_rate=44100" -f lavfi -i "sine=frequency=1000:duration=1:sample_rate=44100"
  -filter_complex "[0:a][1:a]join=inputs=2:channel_layout=stereo,volume=4[a]" -map "[a]" -map_metadata -1 -fflags +bitexact -flags:a +bitexact)
make() { ffmpeg -hide_banner -loglevel error -y "${source_tones[@]}" "$@"; }
make -c:a libmp3lame -b:a 64k tones.mp3
make -c:a aac -b:a 64k tones.m4a
make -c:a aac -b:a 64k tones.aac
make -c:a flac -ar 16000 tones.flac
make -c:a libvorbis -q:a 2 tones-vorbis.ogg
make -c:a libopus -b:a 48k tones-opus.ogg
make -c:a libopus -b:a 48k tones.webm
