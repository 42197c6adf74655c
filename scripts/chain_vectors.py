#!/usr/bin/env python3
"""Writes tests/fixtures/chain.json: the chain's keys, addresses and values as encoded by an SDK.

In a virtual environment: pip install substrate-interface==1.8.1 scalecodec==1.2.12
Accounts are hashes of made-up words. Two runs give the same file.
"""

import hashlib
import importlib.metadata
import json
import os

from scalecodec.base import RuntimeConfiguration, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset
from scalecodec.utils.ss58 import ss58_decode, ss58_encode
from substrateinterface.utils.hasher import blake2_128_concat, two_x64_concat, xxh128

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/fixtures/chain.json")
NETUIDS = [0, 1, 17, 255, 256, 65535]

config = RuntimeConfiguration()
config.update_type_registry(load_type_registry_preset("legacy"))


def scale(kind, value):
    return bytes(config.create_scale_object(kind).encode(value).data)


def decodes(kind, data):
    """Whether the SDK decodes the bytes completely."""
    try:
        config.create_scale_object(kind, ScaleBytes(bytearray(data))).decode()
    except Exception:
        return False
    return True


def item(pallet, name):
    return xxh128(pallet.encode()) + xxh128(name.encode())


def account(word):
    return hashlib.sha256(word.encode()).digest()


def addresses():
    good = []
    for word in ["ash", "birch", "cedar", "larch", "oak", "rowan"]:
        address = ss58_encode(account(word), 42)
        good.append({"account": account(word).hex(), "ss58": address})
    first = good[0]["ss58"]
    bad = {
        "another network": ss58_encode(account("ash"), 0),
        "a prefix of two bytes": ss58_encode(account("ash"), 1000),
        "one letter changed": first[:20] + ("a" if first[20] != "a" else "b") + first[21:],
        "cut off": first[:-1],
        "one letter more": first + "1",
    }
    for address in bad.values():
        try:
            ss58_decode(address, 42)
        except ValueError:
            continue
        raise SystemExit(f"the SDK takes {address}")
    return {"good": good, "bad": [{"about": about, "ss58": address} for about, address in bad.items()]}


def keys():
    out = []
    for netuid in NETUIDS:
        prefix = item("Commitments", "RevealedCommitments") + scale("u16", netuid)
        accounts = [account(word) for word in ("ash", "birch")]
        full = [{"ss58": ss58_encode(a, 42), "key": (prefix + two_x64_concat(a)).hex()} for a in accounts]
        out.append({"netuid": netuid, "prefix": prefix.hex(), "keys": full})
    return out


# What a miner's SDK stores: within the bytes, the text has a length prefix of its own.
TEXTS = {
    "one": ["hello"],
    "none": [],
    "an empty text": [""],
    "JSON": ['{"repo":"someone/models","commit":"' + "0f" * 20 + '"}', '{"cdn_url":"https://cdn.example.com/m"}'],
    "lengths of two bytes": ["x" * 63, "x" * 64, "y" * 778],
    "lengths of four bytes": ["z" * 16383, "z" * 16384],
    "not ASCII": ["Grüße, 世界 🙂", "\u0000\u202e\ufeff"],
    "ten": [f"reveal {i}" for i in range(10)],
}


def shown(text):
    return {"text": text} if len(text) < 1000 else {"repeated": text[0], "times": len(text)}


def values():
    out = []
    for about, texts in TEXTS.items():
        blocks = [7_000_000 + 360 * i for i in range(len(texts))]
        raw = [scale("Bytes", text) for text in texts]
        value = scale("Vec<(Bytes, u64)>", [("0x" + r.hex(), block) for r, block in zip(raw, blocks)])
        hash = hashlib.sha256(value).hexdigest()
        entries = [{"block": block, **shown(text)} for block, text in zip(blocks, texts)]
        # Of the longest, only the hash is stored.
        out.append({"about": about, "sha256": hash, "entries": entries})
        if len(value) < 4000:
            out[-1]["value"] = value.hex()
    return out


def bad_values():
    good = scale("Vec<(Bytes, u64)>", [("0x" + scale("Bytes", "hello").hex(), 7_000_000)])
    bad = {
        "nothing": b"",
        "cut off": good[:-1],
        "a count too high": b"\x08" + good[1:],
        "a length beyond the end": b"\x04\xfc" + good[2:],
    }
    for about, data in bad.items():
        if decodes("Vec<(Bytes, u64)>", data):
            raise SystemExit(f"the SDK reads {about}")
    return [{"about": about, "value": data.hex()} for about, data in bad.items()]


def pulses():
    out = []
    for number in [1, 1000, 34_181_977]:
        signature, randomness = hashlib.sha384(b"%d" % number).digest(), hashlib.sha256(b"%d" % number).digest()
        value = scale("(u64, Bytes, Bytes)", (number, "0x" + randomness.hex(), "0x" + signature.hex()))
        key = item("Drand", "Pulses") + blake2_128_concat(scale("u64", number))
        out.append({"round": number, "key": key.hex(), "value": value.hex(), "signature": signature.hex()})
    return out


def main():
    packages = ("scalecodec", "substrate-interface", "xxhash", "base58")
    versions = {name: importlib.metadata.version(name) for name in packages}
    numbers = (0, 1, 63, 64, 16383, 16384, 2**30 - 1, 2**30, 2**32 - 1)
    now = 1_770_105_600_123
    vectors = {
        "made_by": {"script": "scripts/chain_vectors.py", **versions},
        "addresses": addresses(),
        "keys": keys(),
        "compact": [{"value": n, "bytes": scale("Compact<u32>", n).hex()} for n in numbers],
        "values": values(),
        "bad_values": bad_values(),
        "timestamp": {"key": item("Timestamp", "Now").hex(), "milliseconds": now, "value": scale("u64", now).hex()},
        "pulses": pulses(),
    }
    with open(OUT, "w", encoding="utf-8") as file:
        file.write(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
