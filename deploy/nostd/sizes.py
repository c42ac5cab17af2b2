"""Flash and RAM of an ELF image by section, with nothing but the standard library (`size` need not be there)."""

import struct
import sys


def sections(data: bytes) -> dict[str, int]:
    """Name and size of every section of a 32-bit little-endian ELF file."""
    if data[:6] != b"\x7fELF\x01\x01":
        raise SystemExit("a 32-bit little-endian ELF file expected")
    (start,) = struct.unpack_from("<I", data, 32)
    size, count, names = struct.unpack_from("<HHH", data, 46)
    heads = [struct.unpack_from("<10I", data, start + i * size) for i in range(count)]
    text = heads[names]

    def name(offset: int) -> str:
        begin = text[4] + offset
        return data[begin : data.index(b"\0", begin)].decode()

    return {name(head[0]): head[5] for head in heads}


if __name__ == "__main__":
    found = sections(open(sys.argv[1], "rb").read())
    code, constants, data = (found.get(s, 0) for s in (".text", ".rodata", ".data"))
    print(f"flash {code + constants + data} bytes (code {code}, constants {constants}); static RAM {data + found.get('.bss', 0)} bytes")
