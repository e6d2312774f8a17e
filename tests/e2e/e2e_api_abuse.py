"""What the API answers to strangers, to mistakes and to attacks: the right status, an error in the
documented shape, and nothing that is none of their business."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any

from e2e_twilio import RATES
from harness import Context, Failure, check, check_equal, free_port, wait_for
from server import SECRET, Server
from traffic import in_parallel

API = "/2010-04-01/Accounts"
FORM = "application/x-www-form-urlencoded"

# What no stranger may read: of the machine, of the program's inside, of its database.
LEAKS = re.compile(rb"/tmp/|/usr/|/home/|\.db\b|\.cc\b|sqlite|SELECT|INSERT|no such table|syntax "
                   rb"error|civetweb|std::|what\(\)|0x[0-9a-f]{6}|Server:", re.IGNORECASE)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """The API of a server, and its accounts: ours, a disabled one, and somebody else's."""

    def __init__(self, ctx: Context, server: Server):
        self.port = int(server.config["api"]["port"])
        self.accounts = {name: account(ctx, server, name) for name in ("acme", "globex", "asleep")}
        ctx.cli("account", "disable", self.accounts["asleep"]["sid"],
                "--config", server.config_path)
        self.secrets = [each[key].encode() for each in self.accounts.values()
                        for key in ("auth_token", "api_key")] + [SECRET.encode()]

    def sid(self, name: str = "acme") -> str:
        return self.accounts[name]["sid"]

    def auth(self, name: str = "acme") -> str:
        return basic(self.sid(name), self.accounts[name]["auth_token"])

    def send(self, message: bytes) -> Answer:
        """Sends bytes on a connection of their own; reads until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            try:
                connection.sendall(message)
                answer = b""
                while data := connection.recv(65536):
                    answer += data
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server did not want all of it
        return parse(answer)

    def call(self, method: str, path: str, *, auth: str | None = "", form: bytes | str = b"",
             headers: str = "", kind: str = FORM) -> Answer:
        """Makes a request that is sound HTTP; as ours, unless `auth` says otherwise."""
        body = form.encode() if isinstance(form, str) else form
        credentials = self.auth() if auth == "" else auth
        head = (f"{method} {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{headers}"
                + (f"Authorization: {credentials}\r\n" if credentials else "")
                + (f"Content-Type: {kind}\r\n" if kind and body else "")
                + (f"Content-Length: {len(body)}\r\n" if body or method == "POST" else "") + "\r\n")
        return self.send(head.encode() + body)


def parse(answer: bytes) -> Answer:
    head, end, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    check(bool(end) and lines[0].startswith("HTTP/1.1 "), f"no HTTP comes back: {answer[:200]!r}")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return Answer(int(lines[0].split()[1]), headers, body)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def account(ctx: Context, server: Server, name: str) -> dict[str, str]:
    done = ctx.cli("account", "add", "--config", server.config_path, "--account", name)
    return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines())


# What stands in the tables below: status, code, and a request as Api.call or Api.send takes it.
UNSOUND, BAD, NOBODY, INACTIVE, NOWHERE = (
    (400, 20400), (400, 20001), (401, 20003), (401, 20005), (404, 20404))


def run(ctx: Context) -> None:
    rates = ctx.directory / "rates.yaml"
    rates.write_text(RATES)
    limits = {"requests_per_second": 0, "requests_per_second_per_address": 0}
    server = Server(ctx, api={"port": free_port(), **limits},
                    metering={"rates": str(rates)}).start()
    api = Api(ctx, server)
    logged = len(server.log_events())
    strangers(api)
    parameters(api)
    triggers(api)
    not_sound_http(api)
    told = [event for event in server.log_events()[logged:] if event["event"].startswith("api")]
    check_equal(told, [], "what strangers can write into the log")
    for name in limits:
        del server.config["api"][name]
    server.write_config()
    server.launched().popen.send_signal(signal.SIGHUP)
    server.wait_for_event("config_reloaded")
    flood(ctx, api, f"GET {API}/{api.sid()}/Usage/Triggers.json", api.auth(), 200, 100)
    flood(ctx, api, "GET /v1/edges", "Basic guess", 200, 200)
    flood(ctx, api, f"POST {API}/{api.sid()}/Tokens.json", basic(api.sid(), "guess"), 401, 200)
    server.stop()
    log = server.launched().stdout_path.read_bytes() + server.launched().stderr_path.read_bytes()
    check(not any(secret in log for secret in api.secrets), "a secret in the log")


def expect(api: Api, what: str, answer: Answer, status: int, code: int = 0) -> None:
    """The status, the documented body of an error, and nothing that leaks."""
    check_equal(answer.status, status, f"{what}: the status ({answer.body[:300]!r})")
    told = b"".join(f"{k}: {v}\n".encode() for k, v in answer.headers.items()) + answer.body
    check(not LEAKS.search(told), f"{what} leaks: {told[:600]!r}")
    check(not any(secret in told for secret in api.secrets), f"{what} tells a secret: {told!r}")
    check("x-evil" not in answer.headers, f"{what}: a header of the client's own")
    if code:
        error = answer.json()
        check_equal((sorted(error), error["code"], error["status"], error["more_info"]),
                    (["code", "message", "more_info", "status"], code, status,
                     f"/v1/errors#{code}"), f"{what}: the error")
        check_equal(answer.headers["content-type"], "application/json", f"{what}: its type")
    if status == 401:
        check("www-authenticate" in answer.headers, f"{what}: how to authenticate")


def strangers(api: Api) -> None:
    """Whoever cannot show who he is gets nothing, and learns nothing of who else there is."""
    ours, theirs, nobodys = (f"{API}/{sid}" for sid in
                             (api.sid(), api.sid("globex"), "AC" + "0" * 32))
    token, key = (api.accounts["acme"][name] for name in ("auth_token", "api_key"))
    for what, auth in (
            ("no credentials", None), ("a wrong token", basic(api.sid(), "0" * 32)),
            ("no such account", basic("AC" + "0" * 32, token)), ("no token", basic(api.sid(), "")),
            ("the key as token", basic(api.sid(), key)), ("a bearer", f"Bearer {token}"),
            ("another's token", basic(api.sid(), api.accounts["globex"]["auth_token"])),
            ("a token and NUL", basic(api.sid(), token + "\0")), ("no base64", "Basic %%%"),
            ("no colon", "Basic YWJj"), ("an empty scheme", "Basic"),
            ("a long token", basic(api.sid(), "x" * 5000)),
            ("SQL as SID", basic("' OR '1'='1", "x")),
            ("a wrong token of a disabled account", basic(api.sid("asleep"), "x"))):
        for path in ("Tokens", "Usage/Triggers"):
            expect(api, what, api.call("POST", f"{ours}/{path}.json", auth=auth), *NOBODY)
    expect(api, "a disabled account", api.call("POST", f"{API}/{api.sid('asleep')}/Tokens.json",
                                               auth=api.auth("asleep")), *INACTIVE)
    for rest in ("Tokens.json", "Usage/Records.json", "Usage/Records/Daily.json",
                 "Usage/Triggers.json", "Invoices/2026-11.html"):
        method = "POST" if rest.startswith("Tokens") else "GET"
        other, none = (api.call(method, f"{base}/{rest}") for base in (theirs, nobodys))
        expect(api, f"another's {rest}", other, *NOWHERE)
        check_equal(other, none, f"another's {rest} and nobody's")
    for what, query in (("no key", ""), ("a wrong key", "key=x"),
                        ("a token as key", f"key={token}"),
                        ("a key and NUL", f"key={key}%00"), ("SQL", "key='%20OR%20'1'='1")):
        expect(api, f"/turn with {what}", api.call("GET", f"/turn?{query}", auth=None), *NOBODY)
    asleep = api.accounts["asleep"]["api_key"]
    expect(api, "/turn of a disabled account",
           api.call("GET", f"/turn?key={asleep}", auth=None), *INACTIVE)
    expect(api, "/turn", api.call("GET", f"/turn?ttl=60&key={key}", auth=None), 200)


def parameters(api: Api) -> None:
    """What a client can get wrong, by mistake or not, in a request of its own."""
    base = f"{API}/{api.sid()}"
    key = f"X-API-Key: {api.accounts['acme']['api_key']}\r\n"
    tokens, daily = f"{base}/Tokens.json", f"{base}/Usage/Records/Daily.json"
    for ttl in ("0", "-1", "86401", "9" * 20, "abc", "1.5", "", "%2B5", "5%00", "1e3", "60&Ttl=0"):
        expect(api, f"Ttl {ttl}", api.call("POST", tokens, form=f"Ttl={ttl}"), *BAD)
        query = f"ttl={ttl}".replace("Ttl", "ttl")
        expect(api, query, api.call("GET", f"/turn?{query}", auth=None, headers=key), *BAD)
    for form in ("Label=a%00b", "Label=a%0d%0aX-Evil:%201", "Label=%ff", "Label=%e2%80%ae",
                 "Label=" + "a" * 129, "Edge=nowhere", "Edge='%20OR%20'1'='1", "Edge=%00",
                 "ClientAddress=1.2.3", "ClientAddress=1.2.3.4%0d%0aX-Evil:%201"):
        expect(api, form[:40], api.call("POST", tokens, form=form), *BAD)
    expect(api, "SQL", api.call("POST", tokens, form="Label=');DROP TABLE account;--"), 201)
    for query in ("StartDate=2026-13-40", "StartDate=2026-02-30", "StartDate=0000-00-00",
                  "StartDate=garbage", "StartDate=2026-11-0%00", "EndDate=2026-11-01'--",
                  "StartDate=2026-11-02&EndDate=2026-11-01", "StartDate=-99999999999days",
                  "StartDate=2026-11-01%0d%0aX-Evil:%201", "PageSize=100000", "PageSize=0",
                  "PageSize=-1", "Page=1000000000000", "Page=-1", "Page=" + "9" * 30, "Page=x",
                  "Category=calls", "Category=turnmegabytes-%00",
                  "Category=turnmegabytes-" + "a" * 999,
                  "Category=turnmegabytes-a%0d%0aX-Evil:%201"):
        expect(api, query[:50], api.call("GET", f"{daily}?{query}"), *BAD)
    for query in ("StartDate=9999-12-31", "StartDate=0001-01-01", "EndDate=%2B36500days",
                  "Page=1000000&PageSize=1000", "Category=turnmegabytes-'%20OR%20'1'='1",
                  "%00=%00", "x=" + "&" * 5000, "PageToken=%0d%0aX-Evil:%201"):
        expect(api, query[:50], api.call("GET", f"{daily}?{query}"), 200)
    for month, wanted in (("2026-13", BAD), ("2026-11'--", BAD), ("%2e%2e", BAD), ("0000-01", BAD),
                          ("9999-12", NOWHERE), ("1970-01", NOWHERE), ("2026-11%00", BAD)):
        expect(api, month, api.call("GET", f"{base}/Invoices/{month}.html"), *wanted)
    for kind, body in (("application/json", '{"Ttl": 60}'), ("text/plain", "Ttl=60"),
                       ("multipart/form-data; boundary=x", "--x--")):
        expect(api, kind, api.call("POST", tokens, form=body, kind=kind), 415, 20415)
    for kind in (FORM.upper() + "; charset=UTF-8", ""):
        expect(api, kind, api.call("POST", tokens, form="Ttl=60", kind=kind), 201)
    expect(api, "a large body", api.call("POST", tokens, form=bytes(70_000)), 413, 20413)
    for path in ("/nowhere", "/usage.html", "/api.db", "//v1/edges", "/../../etc/passwd",
                 "/%2e%2e/%2e%2e/etc/passwd", "/v1/errors%00.html", "/v1/%65rrors", "/v1/%zz",
                 f"{base}/Usage/Records/Nope.json", f"{base}/Usage/Records/Daily%00.json"):
        expect(api, path, api.call("GET", path), *NOWHERE)
    for method, path in (("GET", tokens), ("PUT", tokens), ("DELETE", daily), ("OPTIONS", "/turn"),
                         ("PATCH", "/v1/edges"), ("POST", "/usage")):
        answer = api.call(method, path)
        expect(api, f"{method} {path}", answer, 405, 20004)
        check("allow" in answer.headers, f"{method} {path} does not say what is allowed")


def triggers(api: Api) -> None:
    """A trigger is kept as it is given, or refused; nobody else sees or ends it."""
    path = f"{API}/{api.sid()}/Usage/Triggers"
    good = "CallbackUrl=https://hook.invalid/&UsageCategory=turnmegabytes&TriggerValue=1000"
    name = "'); DROP TABLE usage_trigger; --<script>\\\""
    for form in ("FriendlyName=a%00b", "FriendlyName=a%0d%0aX-Evil:%201", "FriendlyName=%ff",
                 "FriendlyName=" + "a" * 129, "TriggerValue=abc", "TriggerValue=-1",
                 "TriggerValue=%2B-1", "TriggerValue=1e400", "TriggerValue=" + "9" * 40,
                 "CallbackUrl=file:///etc/passwd", "CallbackUrl=http://a%0d%0aX-Evil:%201",
                 "CallbackUrl=https://", "CallbackUrl=http://me:pw@host/",
                 "CallbackUrl=http://h:0/",
                 "CallbackUrl=http://h/" + "a" * 1100, "CallbackUrl=http://h%5c@other/",
                 "Recurring=weekly", "CallbackMethod=DELETE", "UsageCategory=turnmegabytes-%00",
                 "UsageCategory=calls", "TriggerBy='--"):
        expect(api, form[:40], api.call("POST", f"{path}.json", form=f"{good}&{form}"), *BAD)
    made = api.call("POST", f"{path}.json", form=f"{good}&FriendlyName=" + name)
    expect(api, "a trigger", made, 201)
    sid = made.json()["sid"]
    for other in (sid.lower(), f"{sid}%00", "*", "UT'%20OR%20'1'='1", "UT" + "0" * 32):
        for method in ("GET", "DELETE"):
            expect(api, f"{method} {other}", api.call(method, f"{path}/{other}.json"), *NOWHERE)
    theirs = f"{API}/{api.sid('globex')}/Usage/Triggers"
    for method, auth in (("GET", api.auth("globex")), ("DELETE", api.auth("globex")),
                         ("DELETE", api.auth())):
        expect(api, "another's trigger",
               api.call(method, f"{theirs}/{sid}.json", auth=auth), *NOWHERE)
    check_equal(api.call("GET", f"{theirs}.json", auth=api.auth("globex")).json()["usage_triggers"],
                [], "others' triggers")
    listed = api.call("GET", f"{path}.json").json()["usage_triggers"]
    check_equal([(each["sid"], each["friendly_name"]) for each in listed], [(sid, name)],
                "triggers")


def not_sound_http(api: Api) -> None:
    """No request at all, or one that a proxy could read otherwise. Nothing of it comes back."""
    get = b"GET /v1/edges HTTP/1.1\r\nHost: api\r\nConnection: close\r\n"
    post = b"POST /turn HTTP/1.1\r\nHost: api\r\nConnection: close\r\n"
    for message in (b"\x16\x03\x01\x02\0\1\r\n\r\n", b"X-Evil: 1\r\n\r\n", b"\r\n\r\n",
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /v1/ X-Evil:1 HTTP/1.1\r\n\r\n",
                    b"GET /v1/\0 HTTP/1.1\r\n\r\n", get.replace(b"GET", b"SPY") + b"\r\n",
                    get.replace(b"edges", b"?" + b"a" * 9000) + b"\r\n", get + b"X: a\0b\r\n\r\n",
                    get + b"X: " + b"a" * 9000 + b"\r\n\r\n", get + b"X: a\r\n" * 99 + b"\r\n",
                    post + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
                    post + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    post + b"Content-Length: -1\r\n\r\n", post + b"Content-Length: ten\r\n\r\n",
                    post + b"Transfer-Encoding: gzip\r\n\r\n",
                    post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"):
        expect(api, repr(message[:60]), api.send(message), *UNSOUND)
    expect(api, "10^12 bytes", api.send(post + b"Content-Length: 1000000000000\r\n\r\n"),
           413, 20413)


def flood(ctx: Context, api: Api, request: str, auth: str, status: int, per_second: int) -> None:
    """10,000 requests as fast as they are answered: so many get through as may, each other one is
    told when to come again, and then may."""
    count, threads, batch = ctx.scaled(10_000), 4, 50
    message = (f"{request} HTTP/1.1\r\nHost: api\r\nAuthorization: {auth}\r\n"
               "Content-Length: 0\r\n\r\n").encode()
    answers: list[bytes] = []

    def send() -> None:
        """Some at a time, so that neither side waits for the other to read."""
        with socket.create_connection(("127.0.0.1", api.port), 30) as connection:
            for _ in range(count // threads // batch):
                connection.sendall(message * batch)
                data = b""
                while data.count(b"HTTP/1.1 ") < batch or not data.rstrip().endswith(b"}"):
                    more = connection.recv(1 << 20)
                    check(bool(more), f"{request}: the connection ends")
                    data += more
                answers.extend(data.split(b"HTTP/1.1 ")[1:])

    def answered() -> bool:
        return api.call(*request.split(), auth=auth).status == status

    wait_for(answered, 10, "the limit to have passed")
    began = time.monotonic()
    in_parallel([send] * threads)
    seconds = time.monotonic() - began
    check_equal(len(answers), count, f"answers to {request}")
    passed = [answer for answer in answers if answer.startswith(str(status).encode())]
    most = per_second * (1 + seconds)
    if not 0 < len(passed) <= most:
        raise Failure(f"{len(passed)} of {request} in {seconds:.2f} s, of {most:.0f}")
    refused = [parse(b"HTTP/1.1 " + answer) for answer in answers if answer not in passed]
    check(bool(refused), f"{count} of {request} in {seconds:.2f} s, and none too many")
    for answer in refused:
        check_equal(answer.headers.get("retry-after"), "1", "when to come again")
        expect(api, request, answer, 429, 20429)
    wait_for(answered, 5, "the time to come again")
