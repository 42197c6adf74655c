"""Uploads to S3, beside the aws CLI and s5cmd."""

from . import download, servers
from .measure import Contestant

ABOUT = "a round into a bucket, beside `aws s3 cp --recursive` and `s5cmd cp`, which upload what was fetched before"


def run(bench):
    with servers.bucket(bench, bench.scratch) as bucket:
        if not bucket:
            return
        size = (5, 8) if bench.quick else (10, 32)
        with download.played(bench, *size, download.bodies(bench, 1)) as (this, _, port):
            to = f"s3://{bucket.NAME}/peer"
            ours = this.ours(port, "gen404 download --no-previews", "--no-previews", bucket=bucket)
            theirs = {"aws": ["--endpoint-url", bucket.url, "--only-show-errors", "s3", "cp", "--recursive", f"{this.served}", to],
                      "s5cmd": ["--endpoint-url", bucket.url, "cp", "--concurrency", download.CONNECTIONS, f"{this.served}/", f"{to}/"]}
            contestants = [ours]
            for name, command in theirs.items():
                if program := bench.tool(name):
                    contestants.append(Contestant(f"{name} cp", [program, *command], env=bucket.environment, before=bucket.empty))
            bench.turns(f"{this.what()} into {bucket.kind}", contestants, bench.runs(3, 1))
