"""Starts Debian's headless browsers with a new profile that trusts the test's authority."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from browser import namespace
from harness import Context, Process

# A certificate for turns: must name a DNS name; the browsers are told where it is.
HOST = "relay.turnpike.test"

# The address as well: other clients than browsers are told nothing.
NAMES = f"DNS:{HOST},DNS:localhost,IP:{namespace.ADDRESS}"

AUTHORITY_KEY = "ca-key.pem"

PROGRAMS = {"chromium": "chromium", "firefox": "firefox-esr"}

CHROMIUM_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-background-timer-throttling --disable-renderer-backgrounding "
    "--autoplay-policy=no-user-gesture-required "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream").split()

FIREFOX_PREFS: dict[str, bool | int | str] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.min_background_timeout_value": 4,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "termsofuse.bypassNotification": True,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


@dataclass
class Authority:
    """What the server shows and what the browser trusts, as PEM files."""
    authority: Path
    certificate: Path
    key: Path


def missing(browser: str) -> list[str]:
    """The programs that are needed and not installed."""
    return [name for name in (PROGRAMS[browser], "certutil", "openssl", "ip")
            if shutil.which(name) is None]


def version(ctx: Context, browser: str) -> str:
    return ctx.run([PROGRAMS[browser], "--version"]).stdout.decode().strip()


def make_authority(ctx: Context) -> Authority:
    """Makes an authority of one day, and a certificate of HOST and the namespace's address."""
    made = Authority(*(ctx.directory / name for name in ("ca.pem", "cert.pem", "key.pem")))
    authority_key = ctx.directory / AUTHORITY_KEY
    new = ["openssl", "req", "-x509", "-nodes", "-days", "1", "-newkey", "ec",
           "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    ctx.run([*new, "-subj", "/CN=Turnpike test authority", "-keyout", authority_key,
             "-out", made.authority])
    ctx.run([*new, "-subj", f"/CN={HOST}", "-keyout", made.key, "-out", made.certificate,
             "-CA", made.authority, "-CAkey", authority_key,
             "-addext", f"subjectAltName={NAMES}",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-addext", "extendedKeyUsage=serverAuth"])
    return made


def make_expired(ctx: Context, authority: Authority) -> Authority:
    """Makes a certificate of that authority's that ended yesterday."""
    made = Authority(authority.authority,
                     *(ctx.directory / name for name in ("expired.pem", "expired-key.pem")))
    request = ctx.directory / "expired.csr"
    ctx.run(["openssl", "req", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-subj", f"/CN={HOST}", "-keyout", made.key,
             "-addext", f"subjectAltName={NAMES}", "-out", request])
    ctx.run(["openssl", "x509", "-req", "-in", request, "-days", "-1", "-copy_extensions",
             "copyall", "-CA", made.authority, "-CAkey", ctx.directory / AUTHORITY_KEY,
             "-CAcreateserial", "-out", made.certificate])
    return made


def start(ctx: Context, browser: str, url: str, address: str, authority: Authority,
          pipe: tuple[int, int] | None = None) -> Process:
    """Opens `url` in the browser, for which HOST is `address`. Chromium takes commands from and
    gives answers to the two descriptors of `pipe`."""
    home = ctx.directory / f"{browser}-home"
    profile = home / "profile"
    profile.mkdir(parents=True)
    variables = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"),
                 "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data"),
                 "MOZ_CRASHREPORTER_DISABLE": "1"}
    if browser == "chromium":
        trust(ctx, authority, home / ".pki/nssdb")
        argv = ["chromium", *CHROMIUM_FLAGS, f"--user-data-dir={profile}",
                f"--host-resolver-rules=MAP {HOST} {address},MAP {HOST}. {address}", url]
        if pipe is not None:
            moved = f'exec 3<&{pipe[0]} 4>&{pipe[1]} {pipe[0]}<&- {pipe[1]}>&-; exec "$@"'
            argv = ["bash", "-c", moved, "bash", argv[0], "--remote-debugging-pipe", *argv[1:]]
    else:
        trust(ctx, authority, profile)
        prefs = {**FIREFOX_PREFS, "network.dns.forceResolve": address}
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items()))
        argv = ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), url]
    process = ctx.spawn(["setsid", "env", *(f"{k}={v}" for k, v in variables.items()), *argv],
                        browser, pipe or ())
    ctx.on_cleanup(lambda: end_group(process.pid))
    return process


def end_group(leader: int) -> None:
    """Ends what a browser has started beside itself; its first process leads their group."""
    try:
        while True:
            os.killpg(leader, signal.SIGKILL)
            time.sleep(0.05)
    except ProcessLookupError:
        pass


def trust(ctx: Context, authority: Authority, database: Path) -> None:
    """Puts the authority into an NSS database."""
    database.mkdir(parents=True, exist_ok=True)
    ctx.run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"])
    ctx.run(["certutil", "-A", "-d", f"sql:{database}", "-n", "turnpike", "-t", "C,,",
             "-i", authority.authority])
