"""Without any network but loopback everything works: build, ask, serve. In a network namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from missing import impossible, needed

from index.model_files import DEFAULT_EMBEDDER, TerminalProgress, obtain
from qa.commands import language_model_file

pytestmark = [pytest.mark.models, pytest.mark.slow]

ROOT = Path(__file__).parent.parent
FEW = ["corpus/fr/pont-tanneurs-reouverture.md", "corpus/fr/cidre-recolte.md"]
QUESTION = "Quel est le montant de la facture du pont des Tanneurs ?"

# Runs inside: raises the loopback interface, proves that there is no other way out, and tries everything.
INSIDE = r"""
import errno, fcntl, json, re, socket, struct, subprocess, sys, time, urllib.request
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
home, question, *articles = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
with socket.socket() as one:
    assert one.connect_ex(("192.0.2.1", 80)) == errno.ENETUNREACH
sourcier = [sys.executable, "-c", "from web.commands import main; main()"]
def run(*arguments):
    return subprocess.run([*sourcier, *arguments, "--home", home], check=True, capture_output=True, text=True).stdout
told = {"built": json.loads(run("build", "--json", *articles))["articles"]}
told["asked"] = json.loads(run("ask", "--json", question))
with subprocess.Popen([*sourcier, "serve", "--port", "0", "--home", home], stderr=subprocess.PIPE, text=True) as server:
    try:
        url = next(found[1] for line in server.stderr if (found := re.search(r"Open (http://\S+) in", line)))
        next(line for line in server.stderr if "Ready." in line)
        told["page"] = urllib.request.urlopen(url).read().decode()
        body = json.dumps({"question": question}).encode()
        asked = urllib.request.Request(url + "/api/ask", body, {"Content-Type": "application/json"})
        told["served"] = json.load(urllib.request.urlopen(asked, timeout=300))
    finally:
        server.terminate()
        server.stderr.read()
told["status"] = server.returncode
print(json.dumps(told))
"""


def _namespace() -> list[str]:
    needed("unshare")
    for command in (["unshare", "--user", "--map-root-user", "--net"], ["unshare", "--net"]):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            break
    else:
        impossible("network namespaces are forbidden here")
    return command


def test_build_ask_and_serve_without_a_network(tmp_path: Path) -> None:
    namespace = _namespace()
    with TerminalProgress() as progress:
        obtain(DEFAULT_EMBEDDER, progress=progress)
    language_model_file(None)
    done = subprocess.run(
        [*namespace, sys.executable, "-c", INSIDE, str(tmp_path), QUESTION, *FEW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["built"] == len(FEW)
    assert "618 000 euros" in told["asked"]["answer"].replace("\u00a0", " ").replace("\u202f", " ")
    assert told["served"]["answer"] == told["asked"]["answer"]
    assert told["served"]["citations"][0]["article_id"] == "pont-tanneurs-reouverture"
    assert "<form" in told["page"]
    assert told["status"] == 0
