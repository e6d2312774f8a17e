// Usage Records of one account, and sums of them. Nothing here touches the page.

const TOTAL = 'turnmegabytes';

// Account asks the API in its own name.
export class Account {
  constructor(sid, token) {
    this.sid = sid;
    this.base = `/2010-04-01/Accounts/${encodeURIComponent(sid)}`;
    // Bytes of UTF-8, since a header can hold no others.
    const bytes = new TextEncoder().encode(`${sid}:${token}`);
    this.authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }

  async ask(path) {
    const response = await fetch(path, {headers: {authorization: this.authorization},
                                        cache: 'no-store', credentials: 'omit'});
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw Object.assign(new Error(body.message ?? `the server answers ${response.status}`),
                        {status: response.status});
  }

  // daily lists the records of each day and region, both dates inclusive.
  async daily(from, to) {
    const records = [];
    let path = `${this.base}/Usage/Records/Daily.json?StartDate=${from}&EndDate=${to}&PageSize=1000`;
    while (path) {
      const page = await (await this.ask(path)).json();
      records.push(...page.usage_records);
      path = page.next_page_uri;
    }
    return records;
  }

  // hasInvoices says whether this server makes them.
  async hasInvoices() {
    const description = await (await fetch('/v1/openapi.json')).json().catch(() => ({}));
    return Object.keys(description.paths ?? {}).some((path) => path.includes('/Invoices/'));
  }

  // invoice is the month's, as a page to print; `month` is YYYY-MM.
  async invoice(month) {
    return (await this.ask(`${this.base}/Invoices/${month}.html`)).text();
  }
}

const DAY = 86_400_000;
export const dateOf = (time) => new Date(time).toISOString().slice(0, 10);

// daysBetween lists all days, both dates inclusive.
export function daysBetween(from, to) {
  const days = [];
  for (let time = Date.parse(from); time <= Date.parse(to); time += DAY) days.push(dateOf(time));
  return days;
}

// presetPeriod returns the dates that a choice of the period picker stands for.
export function presetPeriod(preset, now) {
  const [year, month] = dateOf(now).split('-').map(Number);
  if (preset === 'this-month') return [dateOf(Date.UTC(year, month - 1, 1)), dateOf(now)];
  if (preset === 'last-month') {
    return [dateOf(Date.UTC(year, month - 2, 1)), dateOf(Date.UTC(year, month - 1, 0))];
  }
  return [dateOf(now - (Number(preset) - 1) * DAY), dateOf(now)];
}

// Sums of decimal text are exact: prices are money.
export function addDecimals(texts) {
  const places = Math.max(0, ...texts.map((text) => text.split('.')[1]?.length ?? 0));
  let sum = 0n;
  for (const text of texts) {
    const [whole, part = ''] = text.replace('-', '').split('.');
    const value = BigInt(whole + part.padEnd(places, '0'));
    sum += text.startsWith('-') ? -value : value;
  }
  const digits = String(sum < 0n ? -sum : sum).padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const part = digits.slice(digits.length - places);
  return `${sum < 0n ? '-' : ''}${whole}${part ? `.${part}` : ''}`;
}

// summarise turns records into {days, regions, total, unit, asOf}: of each region its megabytes by
// day, and sums as decimal text. Regions stand by falling usage.
export function summarise(records, from, to) {
  const days = daysBetween(from, to);
  const place = new Map(days.map((day, i) => [day, i]));
  const regions = new Map();
  const everything = [];
  let unit = 'usd';
  let asOf = '';
  for (const record of records) {
    const at = place.get(record.start_date);
    if (at === undefined) continue;
    asOf = record.as_of > asOf ? record.as_of : asOf;
    unit = record.price_unit ?? unit;
    if (record.category === TOTAL) everything.push(record);
    if (!record.category.startsWith(`${TOTAL}-`)) continue;
    const name = record.category.slice(TOTAL.length + 1);
    if (!regions.has(name)) regions.set(name, {name, days: Array(days.length).fill('0'), prices: []});
    const region = regions.get(name);
    region.days[at] = addDecimals([region.days[at], String(record.usage)]);
    region.prices.push(String(record.price ?? '0'));
  }
  const list = [...regions.values()].map(({name, days: amounts, prices}) =>
    ({name, days: amounts, usage: addDecimals(amounts), price: addDecimals(prices)}))
    .filter((region) => Number(region.usage) > 0)
    .sort((a, b) => Number(b.usage) - Number(a.usage));
  // Regions without a category of their own are in the total alone.
  const total = {usage: addDecimals(everything.map((record) => String(record.usage))),
                 price: addDecimals(everything.map((record) => String(record.price ?? '0')))};
  const totals = days.map((day) => addDecimals(everything.filter((record) =>
    record.start_date === day).map((record) => String(record.usage))));
  addRest(list, total, totals);
  return {days, regions: list, total, totals, unit, asOf};
}

function addRest(list, total, totals) {
  const minus = (text) => text.startsWith('-') ? text.slice(1) : `-${text}`;
  const days = totals.map((sum, i) =>
    addDecimals([sum, ...list.map((region) => minus(region.days[i]))]));
  const usage = addDecimals(days);
  if (Number(usage) <= 0) return;
  const price = addDecimals([total.price, ...list.map((region) => minus(region.price))]);
  list.push({name: 'other regions', days, usage, price});
}

// cell makes text harmless to spreadsheets, and quotes it by RFC 4180.
const cell = (text) => {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

// csvOf has a row for each day and region that has any usage.
export function csvOf(records) {
  const rows = records.filter((record) => Number(record.usage) > 0)
    .map((record) => [record.start_date, record.account_sid, record.category, String(record.usage),
                      record.usage_unit, String(record.price ?? ''), record.price_unit ?? '',
                      record.as_of]);
  return [['date', 'account_sid', 'category', 'usage', 'usage_unit', 'price', 'price_unit', 'as_of'],
          ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
