#!/usr/bin/env bash
# Guess:     a skippable frame (RFC 8878, section 3.1.2) before the data is passed over by all ways in which zstandard
#            decompresses, as the stream interface of libzstd does.
# Versions:  zstandard 0.25.0
# Behaviour: stream_reader, stream_writer and copy_stream pass over it. decompress() fails with a message that blames the data:
#            the size it expects is the next frame's. decompressobj() and read_to_iter() take the skippable frame for all of the
#            data and return nothing, without an error; the former says that it is at the end (eof).
# Seen:      stream_reader: b'data'
#            stream_writer: b'data'
#            copy_stream: b'data'
#            decompress: ZstdError: decompression error: decompressed 0 bytes; expected 4
#            decompressobj: (b'', 'eof True')
#            read_to_iter: b''
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    zstandard==0.25.0 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - <<'PYTHON'
import io
import zstandard

skippable = (0x184D2A50).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"note"
data = skippable + zstandard.compress(b"data")
new = zstandard.ZstdDecompressor


def of_object():
    decoder = new().decompressobj()
    return decoder.decompress(data), f"eof {decoder.eof}"


def copied():
    new().copy_stream(io.BytesIO(data), target := io.BytesIO())
    return target.getvalue()


def written():
    with new().stream_writer(target := io.BytesIO(), closefd=False) as writer:
        writer.write(data)
    return target.getvalue()


ways = {
    "stream_reader": lambda: new().stream_reader(data).read(),
    "stream_writer": written,
    "copy_stream": copied,
    "decompress": lambda: new().decompress(data),
    "decompressobj": of_object,
    "read_to_iter": lambda: b"".join(new().read_to_iter(data)),
}
for name, decompress in ways.items():
    try:
        print(f"{name}:", decompress())
    except zstandard.ZstdError as error:
        print(f"{name}: ZstdError: {error}")
PYTHON
)
expected="stream_reader: b'data'
stream_writer: b'data'
copy_stream: b'data'
decompress: ZstdError: decompression error: decompressed 0 bytes; expected 4
decompressobj: (b'', 'eof True')
read_to_iter: b''"

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
