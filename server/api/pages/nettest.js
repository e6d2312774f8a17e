// The page /nettest: asks its server for the edges and a credential, tries every way to every edge,
// and shows what came of it.

import {byId, element, save} from '/dom.js';
import {advise, bestPath, failureOf, judge, PATHS} from '/nettest-judge.js';
import {probeStun, probeTurn} from '/nettest-probe.js';
import {EdgeView} from '/nettest-view.js';

// Of the address: ?seconds=3&timeout=6&kbits=100 shorten or change the test.
const query = new URLSearchParams(location.search);
const number = (name, most, usual) => Math.min(most, Number(query.get(name)) || usual);
const OPTIONS = {duration: number('seconds', 60, 3) * 1000,
                 timeout: number('timeout', 60, 6) * 1000, kbits: number('kbits', 400, 100)};
const TRANSPORTS = {'turn-udp': ['turn', 'udp'], 'turn-tcp': ['turn', 'tcp'],
                    'turn-tls': ['turns', 'tcp']};

const json = async (path, options) => {
  const response = await fetch(path, {cache: 'no-store', ...options});
  if (!response.ok) {
    throw Object.assign(new Error(`${path}: ${response.status}`), {status: response.status});
  }
  return response.json();
};

let report = null;
let redraw = () => {};

// urisOf picks one URI for each path.
function urisOf({uris, addresses = []}) {
  const found = {};
  const port = (uri) => Number(/:(\d+)(\?|$)/.exec(uri)?.[1] ?? (uri.startsWith('turns') ? 5349 : 3478));
  for (const [path, [scheme, transport]] of Object.entries(TRANSPORTS)) {
    found[path] = uris.find((uri) => uri.startsWith(`${scheme}:`) &&
      (uri.includes('transport=') ? uri.endsWith(`transport=${transport}`) : transport === 'udp'));
  }
  found['stun-udp'] = uris.find((uri) => uri.startsWith('stun:'));
  const ipv6 = addresses.find((address) => address.includes(':'));
  if (ipv6 && found['turn-udp']) {
    found['turn-ipv6'] = `turn:[${ipv6}]:${port(found['turn-udp'])}?transport=udp`;
  }
  const ports = Object.fromEntries(Object.entries(found).filter(([, uri]) => uri)
    .map(([path, uri]) => [path, port(uri)]));
  return [found, ports];
}

function edgeOf(row) {
  const [uris, ports] = urisOf(row);
  const missing = (path) => path === 'turn-ipv6' ? 'the edge has no IPv6 address' : 'not offered';
  return {
    name: row.name, region: row.region ?? '', host: row.hosts?.[0] ?? row.addresses?.[0] ?? row.name,
    nat_mapping: 'unknown', uris, ports,
    paths: PATHS.map((path) => ({path, works: false, steps: [],
                                 ...(uris[path] ? {} : {skipped: missing(path)})})),
  };
}

async function testEdge(checks, edge, credential, track, onPath) {
  const view = new EdgeView(checks, edge);
  byId('edges').append(view.card);
  await Promise.all(edge.paths.filter((path) => !path.skipped).map(async (path) => {
    const uri = edge.uris[path.path];
    if (path.path === 'stun-udp') await probeStun(path, uri, OPTIONS);
    else {
      await probeTurn(checks, path, {urls: [uri], ...credential}, {...OPTIONS, track},
                      (arrival, count) => view.arrival(path.path, arrival, count));
    }
    view.update();
    onPath(`${edge.name}: ${checks.paths[path.path]} ${path.works ? 'works' : 'fails'}`);
  }));
  edge.verdicts = judge(checks, edge);
  edge.advice = advise(checks, edge, edge.verdicts);
  view.finish();
  return view;
}

// nearest puts edges in the order of their round trips, as latency routing would.
function byDistance(edges) {
  const distance = (edge) => bestPath(edge)?.quality.rtt_p50_ms ?? Infinity;
  return [...edges].sort((a, b) => distance(a) - distance(b) || 0);
}

const SUMMARY = {
  pass: ['good', 'Calls will work from here.'],
  mixed: ['warn', 'Calls will work from here, but not as well as every service wants.'],
  degraded: ['warn', 'Calls will work from here, but not at their best: UDP does not get through.'],
  fail: ['bad', 'Calls will not work from here.'],
  refused: ['bad', 'The relay refuses the credential, so nothing more could be tested.'],
};

// summarise says in one sentence what matters, by the edge that a call would use.
function summarise(edges) {
  const [near] = edges;
  const outcomes = new Set(near.verdicts.map((verdict) => verdict.outcome));
  const refused = near.paths.some((path) => failureOf(path)?.fault === 'credentials');
  const kind = refused ? 'refused' : outcomes.size > 1 ? 'mixed' : [...outcomes][0];
  const [colour, sentence] = SUMMARY[kind];
  const best = bestPath(near);
  const more = near.advice.length ? 'What to do stands below.' : '';
  const nearest = edges.length > 1 && best ?
    `The nearest edge is ${near.name}, ${best.quality.rtt_p50_ms.toFixed(1)} ms away.` : '';
  byId('summary').replaceChildren(element('div', {class: `card sum ${colour}`},
    element('h2', {}, sentence), element('p', {}, `${nearest} ${more}`.trim())));
}

async function test(credential, track) {
  byId('edges').replaceChildren();
  byId('summary').replaceChildren();
  byId('finish').hidden = true;
  const [checks, listed] = await Promise.all([json('/checks.json'), json('/v1/edges')]);
  const edges = listed.edges.map(edgeOf);
  const all = edges.flatMap((edge) => edge.paths).filter((path) => !path.skipped).length;
  const progress = byId('progress');
  Object.assign(progress, {hidden: false, max: all, value: 0});
  const views = new Map();
  for (const edge of edges) {
    byId('status').textContent = `Testing ${edge.name}…`;
    views.set(edge, await testEdge(checks, edge, credential, track, (what) => {
      progress.value += 1;
      byId('status').textContent = `${progress.value} of ${all}: ${what}`;
    }));
  }
  const sorted = byDistance(edges);
  byId('edges').append(...sorted.map((edge) => views.get(edge).card));
  summarise(sorted);
  report = {
    report: 'turnpike-check/1', created_at: new Date().toISOString(),
    by: `nettest, ${navigator.userAgent}`, nearest: bestPath(sorted[0]) ? sorted[0].name : null,
    edges: sorted.map(({uris, ports, ...kept}) => kept),
  };
  byId('finish').hidden = false;
  byId('status').textContent = 'Done.';
  redraw = () => views.forEach((view) => view.redraw());
}

// credentialFor asks the server, unless the user has typed one in; null when it gives none.
async function credentialFor() {
  const username = byId('username').value.trim();
  if (username) return {username, credential: byId('password').value};
  const {username: name, password} = await json('/v1/nettest/token', {method: 'POST'});
  return {username: name, credential: password};
}

// withTone has `work` use an audio track, which keeps the test's packets coming: no microphone is
// asked for, and nothing is heard.
async function withTone(work) {
  const context = new AudioContext();
  try {
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    return await work(out.stream.getAudioTracks()[0]);
  } finally {
    await context.close();
  }
}

function complain(text) {
  Object.assign(byId('error'), {textContent: text, hidden: !text});
}

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  complain('');
  byId('start').disabled = true;
  document.body.dataset.state = 'testing';
  try {
    if (!window.RTCPeerConnection) throw new Error('this browser has no WebRTC, which calls need.');
    if (!window.RTCRtpScriptTransform) {
      throw new Error('this browser is too old for it; use a current one.');
    }
    await withTone(async (track) => test(await credentialFor(), track));
  } catch (error) {
    byId('status').textContent = '';
    if (error.status === 429) complain('Too many tests from here just now. Try again in a minute.');
    else if (error.status === 404 || error.status === 403) askForCredential();
    else complain(`The test could not run: ${error.message}`);
  }
  byId('progress').hidden = true;
  byId('start').disabled = false;
  byId('start').textContent = 'Test again';
  document.body.dataset.state = 'done';
});

function askForCredential() {
  byId('own').hidden = false;
  byId('why').hidden = false;
  byId('start').textContent = 'Start the test';
  byId('username').focus();
}

const text = () => JSON.stringify(report, null, 2) + '\n';
byId('download').addEventListener('click', () =>
  save(`network-test-${report.created_at.slice(0, 16).replace(/[:T]/g, '-')}.json`,
       'application/json', text()));
byId('copy').hidden = !navigator.clipboard;
byId('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(text());
  byId('copy').textContent = 'Copied';
});

addEventListener('resize', () => redraw());
if (query.has('credential')) askForCredential();
// For programs that drive this page.
Object.defineProperty(window, 'networkTestReport', {get: () => report});
