"""Models to measure with, made here: `models.py ball TRIANGLES FILE`, `models.py sheet|picture BYTES FILE`.

Benches make them in a process of their own: a forked child's peak memory starts at its parent's.
"""

import array, json, math, pathlib, random, struct, subprocess, sys, zlib
from math import cos, pi, sin


def glb(document, parts):
    """A GLB of these parts, each an array or bytes; part n is buffer view n."""
    parts = [part if isinstance(part, bytes) else part.tobytes() for part in parts]
    views, binary = [], bytearray()
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)})
        binary += part + bytes(-len(part) % 4)
    document |= {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
                 "buffers": [{"byteLength": len(binary)}], "bufferViews": views}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(binary), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + bytes(binary)


def png(edge, rows, level=6):
    """A picture in RGB of these rows, each the bytes of its pixels."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", edge, len(rows), 8, 2, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), level)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def accessor(view, kind, count, component=5126):
    return {"bufferView": view, "componentType": component, "count": count, "type": kind}


def textured(positions, normals, uvs, corners, picture):
    """A mesh with one texture."""
    count = len(positions) // 3
    return glb({
        "accessors": [accessor(0, "VEC3", count), accessor(1, "VEC3", count), accessor(2, "VEC2", count),
                      accessor(3, "SCALAR", len(corners), 5125)],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.1}}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}]}],
    }, [positions, normals, uvs, corners, picture])


def ball(triangles, edge=2048):
    """A bumpy ball of about so many triangles, with normals, texture coordinates and a noisy texture."""
    n = math.isqrt(triangles // 2) + 1
    positions, normals, uvs, corners = array.array("f"), array.array("f"), array.array("f"), array.array("I")
    ring = [(cos(2 * pi * i / (n - 1)), sin(2 * pi * i / (n - 1))) for i in range(n)]
    for r in range(n):
        y, s = cos(pi * r / (n - 1)), sin(pi * r / (n - 1))
        for c, (x, z) in enumerate(ring):
            radius = 0.45 + 0.05 * sin(18 * pi * c / (n - 1)) * sin(7 * pi * r / (n - 1))
            normals.extend((s * x, y, -s * z))
            positions.extend((radius * s * x, radius * y, -radius * s * z))
            uvs.extend((c / (n - 1), r / (n - 1)))
            if r < n - 1 and c < n - 1:
                a = r * n + c
                corners.extend((a, a + n, a + 1, a + 1, a + n, a + n + 1))
    line = bytes((x * 7 ^ x >> 3) & 255 for x in range(3 * edge))
    rows = [line[3 * (y * 5 % edge) :] + line[: 3 * (y * 5 % edge)] for y in range(edge)]
    return textured(positions, normals, uvs, corners, png(edge, rows))


def sheet(size):
    """A wavy sheet of about this many bytes: a vertex with its two triangles takes 56."""
    n = math.isqrt(size // 56)
    positions, normals, uvs, corners = array.array("f"), array.array("f"), array.array("f"), array.array("I")
    for y in range(n):
        for x in range(n):
            u, v = x / (n - 1), y / (n - 1)
            positions.extend((u * 0.8 - 0.4, v * 0.8 - 0.4, 0.1 * sin(9 * u) * cos(7 * v)))
            normals.extend((0, 0, 1))
            uvs.extend((u, v))
            if x and y:
                d = y * n + x
                corners.extend((d - n - 1, d - n, d - 1, d - n, d, d - 1))
    return textured(positions, normals, uvs, corners, png(64, [bytes(64 * 3)] * 64))


def picture(size):
    """A square with a texture of noise, 4096 pixels wide and stored, of about this many bytes."""
    rows = [random.Random(row).randbytes(4096 * 3) for row in range(size // (4096 * 3))]
    positions = array.array("f", [-.4, -.4, 0, .4, -.4, 0, -.4, .4, 0, .4, .4, 0])
    normals, uvs = array.array("f", [0, 0, 1] * 4), array.array("f", [0, 0, 1, 0, 0, 1, 1, 1])
    return textured(positions, normals, uvs, array.array("I", [0, 1, 2, 1, 3, 2]), png(4096, rows, 0))


KINDS = {"ball": ball, "sheet": sheet, "picture": picture}


def made(folder, kind, size):
    """The file of such a model, made unless it is there."""
    path = pathlib.Path(folder) / f"{kind}_{size}.glb"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        subprocess.run([sys.executable, __file__, kind, str(size), part], check=True)
        part.rename(path)
    return path


if __name__ == "__main__":
    pathlib.Path(sys.argv[3]).write_bytes(KINDS[sys.argv[1]](int(sys.argv[2])))
