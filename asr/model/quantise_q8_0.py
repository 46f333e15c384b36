#!/usr/bin/env python3
"""Turn the matrices of a 16-bit whisper.cpp model into ggml's q8_0: half the size, the same words.

    python3 quantise_q8_0.py ggml-base.bin ggml-base-q8_0.bin

q8_0 keeps blocks of 32 weights as one 16-bit scale (largest magnitude / 127)
and 32 signed bytes. The arithmetic follows ggml's reference to the bit
(`quantize_row_q8_0_ref` in ggml-quants.c), so the result has the same hash as
the C program's. Matrices of two dimensions are packed; convolutions, vectors
and the positional tables stay as they are, as the loader expects.

Needs numpy; `fetch-model.sh` sees to it.
"""
import struct
import sys

import numpy as np

GGML_MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8
BLOCK = 32
HEADER_NUMBERS = 12
# File type "mostly q8_0" plus the version of the block formats times 1000.
FILE_TYPE_Q8_0 = 7 + 2 * 1000
# Two-dimensional in the file, but the loader wants them in 32-bit floats.
NOT_PACKED = {
    "encoder.conv1.bias",
    "encoder.conv2.bias",
    "encoder.positional_embedding",
    "decoder.positional_embedding",
}


def quantise(values):
    """float32 values, a multiple of 32 -> the bytes of the blocks."""
    blocks = values.reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1) / np.float32(127)
    # A block of zeros has scale zero and stays zeros.
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    scaled = blocks * inverse[:, None]
    # C's roundf goes away from zero at a half; numpy's round goes to even. Adding the
    # half in 64 bits is exact, in 32 bits 0.49999997 would become 1.
    whole = np.trunc(scaled + np.copysign(0.5, scaled.astype(np.float64)))
    packed = np.empty((len(blocks), 2 + BLOCK), dtype=np.uint8)
    packed[:, :2] = scale.astype("<f2").view(np.uint8).reshape(-1, 2)
    packed[:, 2:] = whole.astype(np.int8).view(np.uint8)
    return packed.tobytes()


def skip_tables(data):
    """Offset of the first tensor: past the header, the mel filters and the vocabulary."""
    at = 4 * HEADER_NUMBERS
    bands, bins = struct.unpack_from("<2i", data, at)
    at += 8 + 4 * bands * bins
    (tokens,) = struct.unpack_from("<i", data, at)
    at += 4
    for _ in range(tokens):
        (length,) = struct.unpack_from("<i", data, at)
        at += 4 + length
    return at


def convert(in_path, out_path):
    """Write `out_path`; the caller checks the hash and does the renaming."""
    with open(in_path, "rb") as source:
        data = source.read()
    header = list(struct.unpack_from(f"<{HEADER_NUMBERS}i", data, 0))
    if header[0] != GGML_MAGIC or header[-1] != F16:
        sys.exit(f"quantise_q8_0: {in_path} is not a 16-bit whisper.cpp model")
    header[-1] = FILE_TYPE_Q8_0
    at = skip_tables(data)
    with open(out_path, "wb") as out:
        out.write(struct.pack(f"<{HEADER_NUMBERS}i", *header))
        out.write(data[4 * HEADER_NUMBERS : at])
        while at < len(data):
            rank, name_length, kind = struct.unpack_from("<3i", data, at)
            if kind not in (F32, F16):
                sys.exit(f"quantise_q8_0: {in_path} holds a tensor of type {kind}")
            extent = struct.unpack_from(f"<{rank}i", data, at + 12)
            name_at = at + 12 + 4 * rank
            values_at = name_at + name_length
            name = data[name_at:values_at].decode("ascii")
            count = int(np.prod(extent))
            end = values_at + count * (2 if kind == F16 else 4)
            if rank == 2 and name not in NOT_PACKED:
                if extent[0] % BLOCK:
                    sys.exit(f"quantise_q8_0: rows of {name} are {extent[0]} long, not a multiple of {BLOCK}")
                values = np.frombuffer(data[values_at:end], dtype="<f2" if kind == F16 else "<f4")
                out.write(struct.pack("<3i", rank, name_length, Q8_0))
                out.write(data[at + 12 : values_at])
                out.write(quantise(values.astype(np.float32)))
            else:
                out.write(data[at:end])
            at = end


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], sys.argv[2])
