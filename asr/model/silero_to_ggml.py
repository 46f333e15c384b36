#!/usr/bin/env python3
"""Make a whisper.cpp voice-activity model from the silero-vad wheel.

    python3 silero_to_ggml.py silero_vad-6.2.3-py3-none-any.whl ggml-silero-v6.2.3.bin

The wheel carries the 16 kHz network as safetensors; whisper.cpp's loader
(`whisper_vad_init_with_params`, shipped inside the whisper-rs-sys crate) wants
the same numbers with its own names, a small header in front, and the
convolution weights as 16-bit floats. Nothing is trained or pruned here.

Standard library only, Python 3.8 or newer.
"""
import json
import math
import os
import re
import struct
import sys
import zipfile

GGML_MAGIC = 0x67676D6C
F32, F16 = 0, 1

WEIGHTS_IN_WHEEL = "silero_vad/data/silero_vad_16k.safetensors"
MODEL_TYPE = b"silero-16k"
WINDOW_SAMPLES = 512  # 32 ms at 16 kHz: one probability each
CONTEXT_SAMPLES = 64  # samples of the previous window put in front

# (name in the wheel, name in the loader, stored type), in the file's order, which
# the loader leaves free. It fixes the type: weights it feeds to a convolution are
# F16, all that goes into a plain sum or matrix product is F32.
TENSORS = []
for _layer in range(4):
    TENSORS += [
        (f"conv{_layer + 1}.weight", f"_model.encoder.{_layer}.reparam_conv.weight", F16),
        (f"conv{_layer + 1}.bias", f"_model.encoder.{_layer}.reparam_conv.bias", F32),
    ]
TENSORS += [
    (f"lstm_cell.{part}", f"_model.decoder.rnn.{part}", F32)
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
]
TENSORS += [
    ("final_conv.weight", "_model.decoder.decoder.2.weight", F16),
    ("final_conv.bias", "_model.decoder.decoder.2.bias", F32),
    ("stft_conv.weight", "_model.stft.forward_basis_buffer", F16),
]


def read_safetensors(data):
    """Name -> (shape, list of floats). Layout: u64 header length, JSON, raw little-endian data."""
    (header_bytes,) = struct.unpack_from("<Q", data, 0)
    header = json.loads(data[8 : 8 + header_bytes])
    body = memoryview(data)[8 + header_bytes :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            sys.exit(f"silero_to_ggml: {name} is {entry['dtype']}, expected F32")
        begin, end = entry["data_offsets"]
        count = math.prod(entry["shape"])
        if end - begin != 4 * count:
            sys.exit(f"silero_to_ggml: {name} has {end - begin} bytes for {count} floats")
        tensors[name] = (tuple(entry["shape"]), struct.unpack(f"<{count}f", body[begin:end]))
    return tensors


def header(version, tensors):
    """The loader's fixed fields: type, version, window, then one triple per encoder layer."""
    layers = [tensors[f"conv{n}.weight"][0] for n in range(1, 5)]
    lstm_rows, lstm_input = tensors["lstm_cell.weight_ih"][0]
    final_out, final_in = tensors["final_conv.weight"][0][:2]
    out = struct.pack("<2i", GGML_MAGIC, len(MODEL_TYPE)) + MODEL_TYPE
    out += struct.pack("<3i", *version)
    out += struct.pack("<2i", WINDOW_SAMPLES, CONTEXT_SAMPLES)
    out += struct.pack("<i", len(layers))
    for channels_out, channels_in, kernel in layers:
        out += struct.pack("<3i", channels_in, channels_out, kernel)
    return out + struct.pack("<4i", lstm_input, lstm_rows // 4, final_in, final_out)


def tensor(name, shape, values, kind):
    """One tensor record; ggml writes dimensions fastest first, so the shape is reversed."""
    encoded = name.encode("ascii")
    out = struct.pack("<3i", len(shape), len(encoded), kind)
    out += struct.pack(f"<{len(shape)}i", *reversed(shape)) + encoded
    return out + struct.pack(f"<{len(values)}{'e' if kind == F16 else 'f'}", *values)


def convert(wheel, out_path):
    """Write `out_path`; the caller checks the hash and does the renaming."""
    match = re.search(r"silero_vad-(\d+)\.(\d+)\.(\d+)-", os.path.basename(wheel))
    if not match:
        sys.exit(f"silero_to_ggml: no version in the file name {wheel}")
    version = tuple(int(number) for number in match.groups())
    with zipfile.ZipFile(wheel) as archive:
        tensors = read_safetensors(archive.read(WEIGHTS_IN_WHEEL))
    known = {source for source, _, _ in TENSORS}
    if set(tensors) != known:
        sys.exit(f"silero_to_ggml: unexpected tensors {sorted(set(tensors) ^ known)}")
    with open(out_path, "wb") as out:
        out.write(header(version, tensors))
        for source, name, kind in TENSORS:
            shape, values = tensors[source]
            if source.startswith("final_conv."):
                # To the loader this 1x1 convolution to one channel is a row and a number.
                shape = tuple(extent for extent in shape if extent != 1)
            out.write(tensor(name, shape, values, kind))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], sys.argv[2])
