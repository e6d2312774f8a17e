#!/usr/bin/env python3
"""Records what browsers send to a relay: tests/e2e/browser/record.py BUILD_DIR [BROWSER...].

Writes tests/vectors/BROWSER.h, which tests/common/stun/client_vectors_test.cc reads. A browser
calls itself over UDP through a tap, as in the end-to-end tests; of each kind of packet the first is
kept.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.dont_write_bytecode = True

import e2e_browsers as browsers  # noqa: E402
import stun  # noqa: E402
from browser import launch, namespace  # noqa: E402
from browser.tap import Tap  # noqa: E402
from harness import Context  # noqa: E402
from server import REALM  # noqa: E402

VECTORS = Path(__file__).parents[2] / "vectors"

# In the order of a call. Firefox binds no channels.
KINDS = {
    "kBinding": "To the server itself, not a check between peers.",
    "kAllocate": "The first one, without credentials.",
    "kAllocateAuthenticated": "After the 401.",
    "kCreatePermission": "",
    "kSend": "To the peer, while there is no channel.",
    "kChannelBind": "",
    "kChannelData": "The first one.",
    "kRefresh": "Of lifetime 0: the release.",
}

_METHODS = {stun.BINDING: "kBinding", stun.CREATE_PERMISSION: "kCreatePermission",
            stun.SEND: "kSend", stun.CHANNEL_BIND: "kChannelBind", stun.REFRESH: "kRefresh"}


def kind(data: bytes) -> str:
    """The name of the vector that a client's packet may become."""
    if 0x40 <= data[0] <= 0x7F:
        return "kChannelData"
    if data[:2] == b"\0\1" and data[4:8] != struct.pack("!I", stun.MAGIC_COOKIE):
        return "kBinding"  # of RFC 3489, which libnice still speaks
    message = stun.parse(data, zero_padding=False)
    if message.method == stun.ALLOCATE:
        authenticated = message.get(stun.USERNAME) is not None
        return "kAllocateAuthenticated" if authenticated else "kAllocate"
    return _METHODS[message.method]


def record(ctx: Context, browser: str) -> None:
    """Makes one call that may only relay, and one that may not, for the sake of Binding."""
    namespace.enter(ctx)
    authority = launch.make_authority(ctx)
    server = browsers.start_server(ctx, authority)
    tap = Tap(namespace.ADDRESS, (namespace.ADDRESS, server.listener_port("udp")))
    ctx.on_cleanup(tap.close)
    at = f"{namespace.ADDRESS}:{tap.port}"
    call = browsers.make_case(ctx, browser, "record", f"turn:{at}?transport=udp")
    free = {**browsers.make_case(ctx, browser, "free", f"stun:{at}"), "policy": "all"}
    for side in browsers.DATA:
        free[side]["bytes"] = 0
    browsers.browse(ctx, browser, [call, free], authority)
    version = re.sub(r" built on .*", "", launch.version(ctx, browser))
    write(VECTORS / f"{browser}.h", browser, version, "browser/record.py", call["a"],
          first_of_each_kind(tap, call["a"]["username"]))


def first_of_each_kind(tap: Tap, username: str) -> dict[str, bytes]:
    """One client's packets under one name, and what only a client without a name has sent."""
    flows = [flow for name in (username, "") for flow in tap.flows.values()
             if flow.username() == name]
    flows.sort(key=lambda flow: len(flow.packets), reverse=True)
    found: dict[str, bytes] = {}
    for flow in flows:
        for from_client, data in flow.packets:
            if from_client:
                found.setdefault(kind(data), data)
    return found


def write(path: Path, client: str, version: str, script: str, side: dict[str, str],
          found: dict[str, bytes]) -> None:
    lines = [
        f"// What {version} of Debian sends to the relay,",
        f"// recorded over UDP by tests/e2e/{script}, which writes this file.",
        "#pragma once", "", "#include <string_view>", "",
        f"namespace turnpike::vectors::{client} {{", "",
        "// The long-term credential that the messages are authenticated with.",
        f'inline constexpr std::string_view kUsername = "{side["username"]}";',
        f'inline constexpr std::string_view kPassword = "{side["password"]}";',
        f'inline constexpr std::string_view kRealm = "{REALM}";',
    ]
    for name, comment in KINDS.items():
        if name in found:
            lines += ["", *([f"// {comment}"] if comment else []),
                      f'inline constexpr std::string_view {name} = R"(', *layout(found[name])]
            lines[-1] += ')";'
    lines += ["", f"}}  // namespace turnpike::vectors::{client}", ""]
    path.write_text("\n".join(lines))


def layout(data: bytes) -> list[str]:
    """Hex in groups of four bytes; a STUN header and each attribute have lines of their own."""
    parts = [data]
    if data[0] < 0x40:
        parts, at = [data[:20]], 20
        while at < len(data):
            size = struct.unpack_from("!H", data, at + 2)[0]
            end = at + 4 + size + -size % 4
            parts.append(data[at:end])
            at = end
    return ["    " + part[i:i + 40].hex(" ", -4) for part in parts for i in range(0, len(part), 40)]


def main(argv: list[str]) -> int:
    if len(argv) < 2 or not set(argv[2:]) <= set(launch.PROGRAMS):
        print(f"usage: {argv[0]} BUILD_DIR [{'|'.join(launch.PROGRAMS)}]...", file=sys.stderr)
        return 2
    for browser in argv[2:] or launch.PROGRAMS:
        ctx = Context(f"record-{browser}", Path(argv[1]).resolve(), scale=1)
        try:
            record(ctx, browser)
        finally:
            ctx.cleanup()
        ctx.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
