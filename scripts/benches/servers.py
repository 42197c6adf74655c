"""Servers on loopback that live as long as a `with`."""

import contextlib, json, os, pathlib, shutil, socket, subprocess, sys, time, urllib.request

from .measure import INSTALL, ROOT, Failed


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(argv, port=None, **more):
    """A process that is stopped at the end; with a port, from when it listens there."""
    null = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(word) for word in argv], **{**null, **more})
    try:
        if port:
            listens(process, port, argv)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(process, port, argv, within=60):
    """Waits until something listens on the port."""
    until = time.monotonic() + within
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Failed(f"{argv[0]} does not listen on port {port}")


@contextlib.contextmanager
def files(bench, top, served):
    """Serves a folder, by nginx if installed, else by Python's own server; gives its name and port."""
    port, nginx = free_port(), bench.tool("nginx")
    if nginx:
        config = top / "nginx.conf"
        user = "user root; " if os.geteuid() == 0 else ""
        config.write_text(f"daemon off; pid {top}/pid; error_log {top}/log; {user}worker_processes 1; events {{}} http {{ access_log off; "
                          f"sendfile on; server {{ listen 127.0.0.1:{port}; root {served}; }} }}")
        command = [nginx, "-c", config, "-p", top]
    else:
        command = [sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", served]
    with running(command, port):
        yield "nginx" if nginx else "Python's server", port


@contextlib.contextmanager
def judge(latency, capacity):
    """The stand-in for a judge; gives its base URL and a function that asks for its counts."""
    port = free_port()
    with running([sys.executable, ROOT / "scripts/benches/stand_in.py", port, latency, capacity], port):
        url = f"http://127.0.0.1:{port}"
        yield f"{url}/v1", lambda: json.load(urllib.request.urlopen(f"{url}/stats", timeout=10))


@contextlib.contextmanager
def display(bench):
    """An X server without a screen; gives its variables, or None where there is none."""
    xvfb = bench.tool("Xvfb")
    if not xvfb:
        yield None
        return
    read, write = os.pipe()
    with running([xvfb, "-displayfd", write, "-screen", "0", "1280x1200x24", "-nolisten", "tcp"], pass_fds=[write]):
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        if not number:
            raise Failed("Xvfb did not start")
        yield {"DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1"}


class Bucket:
    """A bucket of an S3 server: s3s-fs (.ci/run installs it), which checks signatures, or else moto."""

    NAME, KEY, SECRET = "404-gen", "AKTIME", "not-much-of-a-secret"

    def __init__(self, kind, port, folder):
        self.kind, self.url, self.folder = kind, f"http://127.0.0.1:{port}", folder
        self.environment = dict(R2_ENDPOINT=self.url, R2_ACCESS_KEY_ID=self.KEY, R2_SECRET_ACCESS_KEY=self.SECRET,
                                AWS_ACCESS_KEY_ID=self.KEY, AWS_SECRET_ACCESS_KEY=self.SECRET, AWS_DEFAULT_REGION="us-east-1")

    def empty(self):
        """Empties the bucket, and makes it if there is none."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            return
        for method, path in (("POST", "moto-api/reset"), ("PUT", self.NAME)):
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/{path}", data=b"", method=method), timeout=60).close()


@contextlib.contextmanager
def bucket(bench, top):
    """An S3 server with a bucket, or None and a line that says how to get one."""
    port = free_port()
    s3s = pathlib.Path(os.environ.get("GEN404_S3S_FS", ROOT / "target/s3s-fs/bin/s3s-fs"))
    if s3s.exists():
        folder = top / "s3" / Bucket.NAME
        folder.mkdir(parents=True)
        command = [s3s, "--host", "127.0.0.1", "--port", port, "--access-key", Bucket.KEY, "--secret-key", Bucket.SECRET, top / "s3"]
        made = Bucket("s3s-fs", port, folder)
    else:
        moto = bench.tool("moto_server")
        if not moto:
            bench.skip("an S3 server", f".ci/run installs s3s-fs, or {INSTALL['moto_server']}")
            yield None
            return
        command, made = [moto, "-H", "127.0.0.1", "-p", port], Bucket("moto", port, None)
    with running(command, port):
        made.empty()
        yield made
