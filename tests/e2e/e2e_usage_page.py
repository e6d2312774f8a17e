"""The page /usage in Chromium: its sums are those of the records that it is given, and of a server's
own ledger, with the invoice of the month."""

from __future__ import annotations

from typing import Any

import network
from browser import devtools, launch, namespace
from browser.page_server import PageServer
from e2e_twilio import RATES, add_account
from echo_peer import EchoPeer
from harness import Context, check, check_equal, free_port, wait_for
from server import Server
from traffic import Call

Row = dict[str, Any]

SID = "AC" + "0123456789abcdef" * 2
DAILY = (f"/2010-04-01/Accounts/{SID}/Usage/Records/Daily.json"
         "?StartDate=2026-10-01&EndDate=2026-10-03&PageSize=1000")


def run(ctx: Context) -> None:
    network.need("chromium", "certutil", "openssl", "ip")
    namespace.enter(ctx)
    pages = PageServer([], {DAILY: usage_records(), "/v1/openapi.json": {"paths": {}}})
    ctx.on_cleanup(pages.close)
    page = devtools.Page(ctx, namespace.ADDRESS, launch.make_authority(ctx))
    shows_what_it_was_given(ctx, page, pages.url)
    shows_the_ledger(ctx, page)


def usage_records() -> Row:
    """Three days, two regions with categories of their own, and a rest that has none."""
    rows = []
    for day, east, ireland, rest in ((1, "1.5", "0", "0"), (2, "2000.000001", "3", "0.25"),
                                     (3, "0", "0.499999", "0")):
        total = float(east) + float(ireland) + float(rest)
        for category, amount in (("turnmegabytes-useast", east), ("turnmegabytes", f"{total:.6f}"),
                                 ("turnmegabytes-ireland", ireland)):
            rows.append({"account_sid": SID, "category": category, "usage": amount,
                         "usage_unit": "megabytes", "start_date": f"2026-10-{day:02}",
                         "price": f"{float(amount) * 0.0004:.6f}", "price_unit": "usd",
                         "as_of": "2026-11-01T00:00:00+00:00"})
    return {"usage_records": rows, "next_page_uri": None}


def shows_what_it_was_given(ctx: Context, page: devtools.Page, url: str) -> None:
    page.open(f"{url}usage")
    page.evaluate(f"""document.getElementById('preset').value = 'custom';
        document.getElementById('from').value = '2026-10-01';
        document.getElementById('to').value = '2026-10-03';
        document.getElementById('sid').value = '{SID}';
        document.getElementById('token').value = 'token';
        document.querySelector('#enter button').click()""")
    page.wait("document.querySelector('#totals dd') !== null", 10)
    page.look(ctx, "usage")
    check_equal(page.evaluate("document.querySelector('#totals dd').textContent"), "2.005 GB",
                "the total")
    rows = page.evaluate("[...document.querySelectorAll('#regions tbody tr')]"
                         ".map((row) => [...row.cells].map((cell) => cell.textContent))")
    check_equal(rows, [["useast", "2.002 GB", "$0.80"], ["ireland", "3.5 MB", "$0.00"],
                       ["other regions", "0.25 MB", "$0.00"], ["Total", "2.005 GB", "$0.80"]],
                "usage by region")
    check(page.evaluate("document.getElementById('invoice').hidden"), "an invoice of no server")
    check_equal(page.evaluate("document.querySelectorAll('#chart rect').length"), 5, "bars")
    csv = page.evaluate(f"""import('/usage-data.js').then(async ({{csvOf, addDecimals}}) =>
        [csvOf(await (await fetch('{DAILY}')).json().then((body) => body.usage_records)),
         addDecimals(['0.1', '0.2', '-1', '12345678901234567890.5'])])""")
    check_equal(len(csv[0].strip().split("\r\n")), 8, "rows of the CSV")
    check_equal(csv[1], "12345678901234567889.8", "a sum of money")
    check_equal(page.problems, [], "errors in the page")


def shows_the_ledger(ctx: Context, page: devtools.Page) -> None:
    """As it is in earnest: page, figures and invoice come from the server; strangers get none."""
    rates = ctx.directory / "rates.yaml"
    rates.write_text(RATES)
    port = free_port()
    server = Server(ctx, api={"port": port}, metering={"rates": str(rates)}).start()
    account = add_account(ctx, server)
    peer = EchoPeer()
    ctx.on_cleanup(peer.close)
    call = Call(server, peer, b"alice", b"s3cret")
    call.echo(bytes(1000), 25)
    call.release()
    page.open(f"http://127.0.0.1:{port}/usage")
    sign_in(page, account["sid"], "wrong")
    page.wait("!document.getElementById('error').hidden", 10)
    check(page.evaluate("document.getElementById('shown').hidden"), "a stranger sees figures")
    page.problems.clear()  # the 401 that was meant

    def total() -> str:
        sign_in(page, account["sid"], account["auth_token"])
        page.wait("document.getElementById('as-of').textContent.startsWith('Complete')"
                  " || document.getElementById('as-of').textContent === ''", 10)
        return str(page.evaluate("document.querySelector('#totals dd')?.textContent"))

    wait_for(lambda: total() == "0.05 MB", 20, "the call's 50,000 bytes")
    page.wait("!document.getElementById('invoice').hidden", 10)
    invoice = page.evaluate("""import('/usage-data.js').then(({Account}) =>
        new Account(document.getElementById('sid').value, document.getElementById('token').value)
            .invoice(document.getElementById('from').value.slice(0, 7)))""")
    check("acme" in invoice and "<html" in invoice, f"the invoice: {invoice[:500]}")
    check_equal(page.problems, [], "errors in the page")
    server.stop()


def sign_in(page: devtools.Page, sid: str, token: str) -> None:
    page.evaluate(f"""document.getElementById('sid').value = '{sid}';
        document.getElementById('token').value = '{token}';
        document.querySelector('#enter button').click()""")
