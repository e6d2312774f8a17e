"""The manifests fit Kubernetes's schemas, and the chart with its defaults renders the same objects.

What this shows: kinds, keys, types, formats and required members, for Kubernetes and for the
Prometheus operator's ServiceMonitor. No cluster has taken them, and helm itself has not run: Debian
has none, so render.go runs the chart's templates.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from deploy_alerts import ROOT
from harness import Context, Skipped, check, check_equal
from image import CACHE

KUBERNETES = ROOT / "deploy/kubernetes"
HERE = Path(__file__).parent / "kubernetes"
PACKAGES = ["kubernetes-models@4.5.1", "@kubernetes-models/prometheus-operator@4.4.4",
            "yaml@2.9.1", "typescript@5.9.3"]
GO_LIBRARIES = Path("/usr/share/gocode")
Objects = dict[str, dict[str, Any]]


def run(ctx: Context) -> None:
    missing = [tool for tool in ("npm", "node", "go") if shutil.which(tool) is None]
    if missing or not (GO_LIBRARIES / "src/github.com/Masterminds/sprig").exists():
        raise Skipped(f"not installed: {' '.join(missing) or 'sprig'} (tools/install deploy)")
    modules = install_packages()
    plain = validated(ctx, modules, sorted((KUBERNETES / "manifests").glob("*.yaml")))
    rendered = ctx.directory / "rendered.yaml"
    rendered.write_text(render(ctx, modules))
    chart = validated(ctx, modules, [rendered])
    # The namespace and the secret are the operator's; the chart makes neither.
    by_hand = {name: plain.pop(name) for name in ("Namespace/turnpike", "Secret/turnpike")}
    check_equal(len(by_hand), 2, "objects beside the chart's")
    check_equal(plain, chart, "deploy/kubernetes/manifests, against the chart with its defaults")
    check_meaning(ctx, plain, by_hand)
    check_refusals(ctx, modules, chart)


def install_packages() -> Path:
    """The packages from npm, kept between runs; returns where they are."""
    modules = CACHE / "npm"
    mark = modules / "installed"
    if not mark.exists() or mark.read_text() != " ".join(PACKAGES):
        modules.mkdir(parents=True, exist_ok=True)
        (modules / "package.json").write_text('{"private": true}')
        done = subprocess.run(["npm", "install", "--no-save", "--no-audit", "--no-fund", *PACKAGES],
                              cwd=modules, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise Skipped(f"npm cannot install: {done.stderr.strip().splitlines()[-1]}")
        mark.write_text(" ".join(PACKAGES))
    return modules


def validated(ctx: Context, modules: Path, files: list[Path]) -> Objects:
    """The objects of the files by kind and name, all of them valid."""
    done = ctx.run(["node", HERE / "validate.mjs", modules, *files])
    found = [o for objects in json.loads(done.stdout).values() for o in objects if "metadata" in o]
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in found}


def render(ctx: Context, modules: Path) -> str:
    """The chart's templates with its default values."""
    chart = KUBERNETES / "chart"
    script = ("const YAML = require('yaml'), fs = require('fs');"
              "const read = (p) => YAML.parse(fs.readFileSync(p, 'utf8'));"
              "const c = read(process.argv[1] + '/Chart.yaml');"
              "console.log(JSON.stringify({Values: read(process.argv[1] + '/values.yaml'),"
              "Chart: {Name: c.name, Version: c.version, AppVersion: c.appVersion},"
              "Release: {Name: 'turnpike', Namespace: 'turnpike'}}))")
    context = subprocess.run(["node", "-e", script, chart], cwd=modules, capture_output=True,
                             timeout=60, check=True).stdout
    done = subprocess.run(["go", "run", HERE / "render.go", chart / "templates"], input=context,
                          env={**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_LIBRARIES),
                               "GOCACHE": str(CACHE / "go")},
                          capture_output=True, timeout=300, check=False)
    check_equal(done.stderr.decode(), "", "rendering the chart")
    return done.stdout.decode()


def check_meaning(ctx: Context, objects: Objects, by_hand: Objects) -> None:
    """What no schema knows: the pieces fit each other, and the server takes its configuration."""
    pod = objects["DaemonSet/turnpike"]["spec"]["template"]["spec"]
    text = objects["ConfigMap/turnpike"]["data"]["turnpike.yaml"]
    drain = re.search(r"^drain_deadline: (\d+)s$", text, re.MULTILINE)
    check(drain is not None and pod["terminationGracePeriodSeconds"] > int(drain[1]),
          "terminationGracePeriodSeconds is not above drain_deadline")
    secret = by_hand["Secret/turnpike"]
    mount = next(m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "secret")
    for name, value in secret["stringData"].items():
        wanted = f"{mount['mountPath']}/{name}"
        check(wanted in text, f"the configuration does not read {wanted}")
        path = ctx.directory / name
        path.write_text(value)
        text = text.replace(wanted, str(path))
    config = ctx.directory / "turnpike.yaml"
    config.write_text(text.replace("${HOST_IP}", "127.0.0.1").replace("${NODE_NAME}", "node-1"))
    ctx.run([ctx.turnpiked, "--config", config, "--check-config"])


def check_refusals(ctx: Context, modules: Path, chart: Objects) -> None:
    """A validator that takes anything shows nothing: three broken manifests are refused."""
    def broken(change: Any) -> None:
        daemon_set = copy.deepcopy(chart["DaemonSet/turnpike"])
        change(daemon_set)
        path = ctx.directory / "broken.yaml"
        path.write_text(json.dumps(daemon_set))
        ctx.run(["node", HERE / "validate.mjs", modules, path], status=1)

    broken(lambda o: o["spec"].pop("selector"))
    broken(lambda o: o["spec"]["template"]["spec"].update(hostNetwrok=True))
    broken(lambda o: o["spec"]["template"]["spec"].update(terminationGracePeriodSeconds="soon"))
