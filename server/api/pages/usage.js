// The page /usage: an account's own usage by day and region, as chart, table and files.

import {byId, drawing, element, save} from '/dom.js';
import {scale} from '/nettest-view.js';
import {Account, csvOf, dateOf, presetPeriod, summarise} from '/usage-data.js';

const HEIGHT = 260;
const LEFT = 60;
const BOTTOM = 26;
const SERIES = 6;

let account = null;
let records = [];
let shown = null;

const amount = (text) => {
  const value = Number(text);
  const [divided, unit] = value >= 1e6 ? [value / 1e6, 'TB'] : value >= 1e3 ? [value / 1e3, 'GB'] :
    [value, 'MB'];
  return `${divided.toLocaleString('en', {maximumFractionDigits: divided < 10 ? 3 : 1})} ${unit}`;
};
const money = (text, unit) => {
  const currency = unit.toUpperCase();
  try {
    return Number(text).toLocaleString('en', {style: 'currency', currency});
  } catch {
    return `${text} ${currency}`;
  }
};
const dayName = (day) => new Date(day).toLocaleDateString('en',
  {day: 'numeric', month: 'short', timeZone: 'UTC'});
const asTime = (text) => `${new Date(text).toLocaleString('en', {
  dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC'})} UTC`;
const seriesOf = (i) => `s${Math.min(i, SERIES - 1)}`;

// chart draws a bar for each day, regions upon one another; one unit of it is one pixel.
function chart({days, regions, totals}, width) {
  const [step, top] = scale(Math.max(...totals.map(Number), 1e-3));
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 12) * value / top;
  const slot = (width - LEFT) / days.length;
  const wide = Math.max(1, Math.min(slot * 0.72, 48));
  const parts = [];
  for (let value = 0; value <= top + step / 2; value += step) {
    parts.push(drawing('line', {class: 'grid', x1: LEFT, x2: width, y1: y(value), y2: y(value)}),
               drawing('text', {x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end'}, amount(value)));
  }
  const every = Math.ceil(days.length / Math.max(2, Math.floor(width / 80)));
  days.forEach((day, i) => {
    const middle = LEFT + slot * (i + 0.5);
    const bars = drawing('g', {}, drawing('title', {}, `${day}: ${amount(totals[i])}`));
    let below = 0;
    regions.forEach((region, r) => {
      const value = Number(region.days[i]);
      if (value <= 0) return;
      bars.append(drawing('rect', {class: seriesOf(r), x: middle - wide / 2, width: wide,
                                   y: y(below + value), height: y(below) - y(below + value)}));
      below += value;
    });
    parts.push(bars);
    if (i % every === 0) {
      parts.push(drawing('text', {x: middle, y: HEIGHT - 8, 'text-anchor': 'middle'}, dayName(day)));
    }
  });
  return drawing('svg', {class: 'plot', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img',
                         'aria-label': 'Usage of each day, by region; the table below has the ' +
                                       'same figures'}, parts);
}

const head = (...names) => element('thead', {}, element('tr', {}, names.map((name, i) =>
  element('th', {scope: 'col', class: i ? 'number' : undefined}, name))));
const row = (name, names, ...values) => element('tr', {}, element('th', {scope: 'row'}, name),
  values.map((value, i) => element('td', {class: 'number', 'data-name': names[i]}, value)));

const asTotal = (tr) => {
  tr.className = 'total';
  return tr;
};

function regionTable({regions, total, unit}) {
  const names = ['Usage', 'Price'];
  return element('table', {class: 'stack'}, head('Region', ...names), element('tbody', {},
    regions.map((region, i) => row([element('span', {class: `key ${seriesOf(i)}`}), region.name],
                                   names, amount(region.usage), money(region.price, unit))),
    asTotal(row('Total', names, amount(total.usage), money(total.price, unit)))));
}

function dayTable({days, regions, totals}) {
  const names = [...regions.map((region) => region.name), 'Total'];
  return element('table', {}, head('Day', ...names), element('tbody', {}, days.map((day, i) =>
    row(day, names, ...regions.map((region) => amount(region.days[i])), amount(totals[i])))));
}

const fact = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));

function show(sums) {
  shown = sums;
  const busiest = sums.totals.reduce((best, value, i) =>
    Number(value) > Number(sums.totals[best] ?? 0) ? i : best, 0);
  byId('totals').replaceChildren(
    fact('Relayed', amount(sums.total.usage)), fact('Price', money(sums.total.price, sums.unit)),
    fact('A day, on average', amount(Number(sums.total.usage) / sums.days.length)),
    fact('Busiest day', Number(sums.total.usage) ? dayName(sums.days[busiest]) : '–'));
  byId('chart').replaceChildren(Number(sums.total.usage) ?
    chart(sums, byId('chart').clientWidth || 860) :
    element('p', {class: 'soft'}, 'Nothing was relayed in this period.'));
  byId('legend').replaceChildren(...sums.regions.map((region, i) => element('li', {},
    element('span', {class: `key ${seriesOf(i)}`}), region.name)));
  byId('regions').replaceChildren(regionTable(sums));
  byId('days').replaceChildren(dayTable(sums));
  byId('as-of').textContent = sums.asOf ? `Complete up to ${asTime(sums.asOf)}.` : '';
  const month = new Date(byId('from').value).toLocaleDateString('en', {month: 'long', timeZone: 'UTC'});
  byId('invoice').textContent = `Invoice for ${month}`;
}

async function load() {
  const [from, to] = [byId('from').value, byId('to').value];
  if (!from || !to) return;
  if (from > to) throw new Error('the period ends before it begins');
  byId('as-of').textContent = 'Loading…';
  records = await account.daily(from, to);
  byId('shown').hidden = false;
  show(summarise(records, from, to));
}

// attempt runs what a control asks for, and says what went wrong.
const attempt = (work) => async (event) => {
  event?.preventDefault();
  byId('error').hidden = true;
  try {
    await work();
  } catch (error) {
    byId('as-of').textContent = '';
    const text = error.status === 401 ? 'That is not the SID and token of an account here.' :
      `${error.message[0].toUpperCase()}${error.message.slice(1)}.`.replace('..', '.');
    Object.assign(byId('error'), {textContent: text, hidden: false});
  }
};

function choose() {
  const preset = byId('preset').value;
  if (preset === 'custom') return;
  [byId('from').value, byId('to').value] = presetPeriod(preset, Date.now());
}

byId('enter').addEventListener('submit', attempt(async () => {
  account = new Account(byId('sid').value.trim(), byId('token').value.trim());
  choose();
  await load();
  byId('whose').textContent = `Account ${account.sid}`;
  byId('enter').hidden = true;
  byId('leave').hidden = false;
  byId('invoice').hidden = !await account.hasInvoices();
}));
byId('period').addEventListener('submit', (event) => event.preventDefault());
byId('preset').addEventListener('change', attempt(async () => {
  choose();
  await load();
}));
for (const id of ['from', 'to']) {
  byId(id).addEventListener('change', attempt(async () => {
    byId('preset').value = 'custom';
    await load();
  }));
}
byId('csv').addEventListener('click', () =>
  save(`usage-${byId('from').value}-${byId('to').value}.csv`, 'text/csv', csvOf(records)));
byId('invoice').addEventListener('click', attempt(async () => {
  const month = (byId('from').value || dateOf(Date.now())).slice(0, 7);
  save(`invoice-${month}.html`, 'text/html', await account.invoice(month));
}));
addEventListener('resize', () => shown && show(shown));
byId('leave').addEventListener('click', () => location.reload());
