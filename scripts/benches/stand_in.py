"""The stand-in for a judge: `stand_in.py PORT [LATENCY CAPACITY]` serves until it is killed.

Answers like an OpenAI-compatible endpoint, with two sentences a call, as long as a real judge's, and the same for the same
question; in stages if the name of the answer's schema says so. At most CAPACITY calls are worked on at once, each for
LATENCY seconds; the rest wait. GET /stats tells how many calls were answered, and how many were open at most. Any other
path is a view or its embeddings: pale pictures, and vectors of three numbers.
"""

import hashlib, http.server, io, json, random, struct, sys, threading, time, zipfile, zlib

# One miner in so many is better than the leader, the others are worse.
BETTER = 15
WORDS = ("the first second model lacks has shows missing legs handle texture smeared colour wrong slightly proportions too wide "
         "narrow back side surface noisy clean fragments floating around shape matches picture well but detail lost on top edge "
         "rounded instead of sharp material looks metallic wooden dull glossy seam visible hole in base wheels wing head arms "
         "while silhouette close to reference with minor faults only and blurred print label").split()


def drawn(text):
    """A number that belongs to the text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:4], 16)


def penalty(prompt, model):
    player = model.split("/")[5]
    skill = 0 if player == "leader" else 2 if drawn(player) % BETTER == 0 else -1
    return max(0, drawn(prompt + model) % 7 + 1 - skill)


def staged(label, asked, prompt, models, issues):
    """The answer to a call of a stage."""
    lot = random.Random(label + prompt + "".join(models))
    if label == "s2cl_decompose":
        return {"main_object": "pot", "features": [{"description": name, "category": "shape"} for name in ("lid", "handle", "spout", "foot")]}
    if label == "s2cl_verify":
        features = asked["response_format"]["json_schema"]["schema"]["properties"]["checks"]["items"]["properties"]["feature"]["enum"]
        return {"checks": [{"feature": name, "match": lot.choice(["yes", "yes", "partial", "no"]), "note": ""} for name in features],
                "main_object_correct": True}
    if label == "s4_per_angle":
        return {"verdict": "garbage" if drawn(models[0]) % 50 == 0 else "ok", "reason": ""}
    if label == "explain":
        return {"issues": issues}
    # Close enough that about half of the duels go through all stages.
    one, two = [3 + penalty(prompt, model) % 4 // 2 for model in models]
    return {"penalty_1": one, "penalty_2": two, "issues": issues}


def picture(size=64, grey=200):
    """A PNG of one colour."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes([grey] * 3) * size) * size
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def embeddings():
    """What numpy's savez writes of the prompt and eight views."""
    out, head = io.BytesIO(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + "\n"
    names = ["prompt"] + [f"view_{view}" for view in ("front_left", "front_right", "front_below", "front_above", "right", "back", "left", "top_down")]
    with zipfile.ZipFile(out, "w") as archive:
        for at, name in enumerate(names):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack("<3f", 1, at, 0))
    return out.getvalue()


FILES = {".png": picture(), ".npz": embeddings()}


class Judge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer's head and body are two writes: the second must not wait for the client.
    disable_nagle_algorithm = True
    latency, slots, lock = 0.0, threading.Semaphore(1024), threading.Lock()
    counts = {"answered": 0, "open": 0, "most_open": 0}

    def log_message(self, *_):
        pass

    def count(self, answered, opened):
        with self.lock:
            self.counts["answered"] += answered
            self.counts["open"] += opened
            self.counts["most_open"] = max(self.counts["most_open"], self.counts["open"])

    def reply(self, value):
        self.send(json.dumps(value).encode(), "application/json")

    def send(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        file = FILES.get(self.path[-4:])
        self.send(file, "application/octet-stream") if file else self.reply(self.counts)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.count(0, 1)
        with self.slots:
            if self.latency:
                time.sleep(self.latency)
        self.count(1, -1)
        parts = asked["messages"][1]["content"]
        prompt, *models = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        schema = asked.get("response_format", {}).get("json_schema", {})
        label, _, suffix = schema.get("name", "").rpartition("-")
        lot = random.Random(prompt + "".join(models))
        issues = " ".join(f"{' '.join(lot.choices(WORDS, k=lot.randint(10, 24)))}.".capitalize() for _ in "12")
        if suffix == "response":
            content = json.dumps(staged(label, asked, prompt, models, issues))
        else:
            one, two = [penalty(prompt, model) for model in models]
            content = json.dumps({"penalty_1": one, "penalty_2": two, "issues": issues})
        self.reply({"model": "zai-org/GLM-4.1V-9B-Thinking", "choices": [
            {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": lot.randint(3500, 4200), "completion_tokens": lot.randint(150, 700)}})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    if len(sys.argv) > 2:
        Judge.latency, Judge.slots = float(sys.argv[2]), threading.Semaphore(int(sys.argv[3]))
    Server(("127.0.0.1", int(sys.argv[1])), Judge).serve_forever()
