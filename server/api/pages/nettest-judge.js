// Quality, verdicts and advice: from measurements alone. Thresholds and sentences stand in
// checks.json, which the command `turnpike check` reads as well; the rules are those of its
// tools/check/quality.cc, judge.cc and advice.cc.

export const PATHS = ['stun-udp', 'turn-udp', 'turn-tcp', 'turn-tls', 'turn-ipv6'];
const RATE_TOLERANCE = 0.9;

const percentile = (sorted, percent) =>
  sorted[Math.max(Math.ceil(sorted.length * percent / 100), 1) - 1];

// measure judges `arrivals`, {sequence, sent, arrived} in order of arrival, of a stream of `count`
// packets of `size` bytes, one each `interval` ms.
export function measure({count, size, interval}, arrivals) {
  const sentKbits = size * 8 / interval;
  const trips = Array(count).fill(null);
  let [jitter, reordered, duplicated] = [0, 0, 0];
  let previous, first, last;
  for (const arrival of arrivals) {
    if (arrival.sequence >= count) continue;
    if (trips[arrival.sequence] !== null) {
      duplicated += 1;
      continue;
    }
    trips[arrival.sequence] = Math.max(0, arrival.arrived - arrival.sent);
    if (previous) {
      // RFC 3550, 6.4.1.
      const difference = Math.abs(arrival.arrived - previous.arrived - arrival.sent + previous.sent);
      jitter += (difference - jitter) / 16;
    }
    previous = arrival;
    first ??= arrival;
    if (last && arrival.sequence < last.sequence) reordered += 1;
    else last = arrival;
  }
  const sorted = trips.filter((trip) => trip !== null).sort((a, b) => a - b);
  const received = sorted.length;
  const seconds = received ? (last.arrived - first.arrived + interval) / 1000 : 0;
  const kbits = received ? (last.sequence - first.sequence + 1) * size * 8 / seconds / 1000 : 0;
  return {
    sent: count, received, loss_percent: 100 * (count - received) / count, reordered, duplicated,
    rtt_min_ms: sorted[0] ?? 0, rtt_p50_ms: received ? percentile(sorted, 50) : 0,
    rtt_p95_ms: received ? percentile(sorted, 95) : 0, jitter_ms: jitter,
    sent_kbits: sentKbits, received_kbits: Math.min(kbits, sentKbits), round_trips_ms: trips,
  };
}

// isClear says whether the loss is so far from every profile's limit that chance is not what decides:
// two standard errors of a share.
export function isClear(checks, {loss_percent: loss, sent}) {
  const error = 2 * Math.sqrt(loss * (100 - loss) / sent);
  return checks.profiles.every(({loss_percent: limit}) =>
    limit === undefined || Math.abs(loss - limit) > error);
}

export const pathOf = (edge, name) => edge.paths.find((path) => path.path === name);
const isStream = (path) => path.path === 'turn-tcp' || path.path === 'turn-tls';
export const failureOf = (path) =>
  path.skipped ? undefined : path.steps.find((step) => !step.ok);

// bestPath is the one that a call would take, or undefined.
export function bestPath(edge) {
  return ['turn-udp', 'turn-ipv6', 'turn-tcp', 'turn-tls'].map((name) => pathOf(edge, name))
    .find((path) => path.works && path.quality);
}

function missesOf(profile, quality) {
  const misses = [];
  const add = (limit, value, allowed, missed) => {
    if (allowed !== undefined && missed) misses.push({limit, value, allowed});
  };
  add('latency', quality.rtt_p50_ms, profile.rtt_ms, quality.rtt_p50_ms >= profile.rtt_ms);
  add('jitter', quality.jitter_ms, profile.jitter_ms, quality.jitter_ms >= profile.jitter_ms);
  add('loss', quality.loss_percent, profile.loss_percent,
      quality.loss_percent >= profile.loss_percent);
  const wanted = Math.min(profile.kbits, quality.sent_kbits);
  add('bandwidth', quality.received_kbits, wanted, quality.received_kbits < wanted * RATE_TOLERANCE);
  return misses;
}

const unitOf = (limit) => ({loss: ' %', bandwidth: ' kbit/s'})[limit] ?? ' ms';

function describe({limit, value, allowed}) {
  const bound = limit === 'bandwidth' ? 'at least' : 'below';
  return `${limit} ${value.toFixed(1)}${unitOf(limit)}, wanted ${bound} ${allowed}${unitOf(limit)}`;
}

// judge holds the path that a call would take against each profile.
export function judge(checks, edge) {
  const path = bestPath(edge);
  return checks.profiles.map((profile) => {
    const verdict = {profile: profile.name, outcome: 'fail', path: path?.path ?? null, grade: null,
                     reason: 'no path to the relay works', misses: []};
    if (!path) return verdict;
    verdict.misses = missesOf(profile, path.quality);
    if (profile.grades) {
      verdict.grade = profile.grades.find((grade) => path.quality.rtt_p50_ms < grade.rtt_ms)?.name
        ?? 'poor';
    }
    if (verdict.misses.length) {
      verdict.reason = verdict.misses.map(describe).join('; ');
      return verdict;
    }
    verdict.outcome = isStream(path) ? 'degraded' : 'pass';
    verdict.reason = (isStream(path) ? 'only ' : '') + checks.paths[path.path] +
      (verdict.grade ? `, ${verdict.grade}` : '');
    return verdict;
  });
}

// advise says in plain words what to do about what failed, most important first.
export function advise(checks, edge, verdicts) {
  const said = [];
  const words = {host: edge.host, udp_port: edge.ports['turn-udp'],
                 tcp_port: edge.ports['turn-tcp'], tls_port: edge.ports['turn-tls']};
  const say = (name, more = {}) => {
    const all = {...words, ...more};
    const sentence = checks.advice[name].replace(/\{(\w+)\}/g, (_, word) => all[word] ?? '?');
    if (!said.includes(sentence)) said.push(sentence);
  };
  const failures = Object.fromEntries(edge.paths.map((path) => [path.path, failureOf(path)]));
  const silent = (name) => ['silent', 'refused'].includes(failures[name]?.fault) &&
    failures[name].step !== 'relay';
  for (const failure of Object.values(failures).filter(Boolean)) {
    const detail = {detail: failure.detail};
    if (failure.fault === 'credentials') say('credentials');
    else if (failure.step === 'relay') say('relay', detail);
    else if (failure.fault === 'server') say('allocate', detail);
  }
  const works = (name) => pathOf(edge, name).works;
  if (silent('turn-udp') && !works('turn-tcp') && !works('turn-tls')) {
    say(silent('turn-tcp') || silent('turn-tls') ? 'unreachable' : 'udp-blocked-no-fallback');
  } else {
    if (silent('turn-udp')) say('udp-blocked', {fallback: works('turn-tcp') ? 'TCP' : 'TLS'});
    if (silent('turn-tcp')) say('tcp-blocked');
    if (silent('turn-tls')) say('tls-browser');
  }
  for (const miss of verdicts.flatMap((verdict) => verdict.misses)) {
    say(miss.limit, {value: miss.value.toFixed(miss.limit === 'loss' ? 1 : 0), rate: miss.allowed});
  }
  return said;
}
