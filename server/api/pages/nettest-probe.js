// Trying one way to a relay with RTCPeerConnection: two connections of this page whose only
// candidates are relayed ones, so that what goes from one to the other meets at the relay. A packet's
// time is then a round trip between here and the relay.

import {isClear, measure} from '/nettest-judge.js';

const INTERVAL = 20;    // ms, as voice
const SETTLE = 1500;    // ms for the last packets
const WARM_UP = 10;     // packets before the stream
const HEADER = 12;      // sequence and time, in a payload
const LONGEST = 4;      // times as long a stream may last, while its loss leaves verdicts open

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class StepFailed extends Error {
  constructor(step, fault, detail) {
    super(detail);
    Object.assign(this, {step, fault, detail});
  }
}

// within fails with that step when `promise` takes longer than `ms`.
function within(ms, step, promise) {
  const late = pause(ms).then(() => {
    throw new StepFailed(step, 'silent', `no answer within ${ms / 1000} s`);
  });
  return Promise.race([promise, late]);
}

// faultOf reads an icecandidateerror: 701 stands for everything below STUN, and browsers say no more.
function faultOf({errorCode, errorText}) {
  const detail = `${errorCode}${errorText ? `, ${errorText}` : ''}`;
  if (errorCode === 401 || errorCode === 441) {
    return ['credentials', `${errorCode}, wrong or expired credential`];
  }
  return [errorCode >= 700 ? 'silent' : 'server', detail];
}

// End is one of the two connections.
class End {
  constructor(server, policy) {
    this.pc = new RTCPeerConnection({iceServers: [server], iceTransportPolicy: policy});
    this.waiting = [];
    this.peer = null;
    this.candidates = [];
    this.pc.addEventListener('icecandidate', ({candidate}) => {
      if (!candidate?.candidate) return;
      this.candidates.push(candidate);
      if (this.peer) this.peer.add(candidate);
    });
  }

  add(candidate) {
    this.pc.addIceCandidate(candidate).catch(() => {});
  }

  // gathered resolves with the first candidate of `type`; with null when there is none and no error
  // was told; and fails when gathering ends with an error.
  gathered(type, step) {
    return new Promise((resolve, reject) => {
      let error = null;
      const look = () => {
        const found = this.candidates.find((candidate) => candidate.type === type);
        if (found) resolve(found);
        else if (this.pc.iceGatheringState === 'complete') {
          if (error) reject(new StepFailed(step, ...faultOf(error)));
          else resolve(null);
        }
      };
      this.pc.addEventListener('icecandidate', look);
      this.pc.addEventListener('icegatheringstatechange', look);
      this.pc.addEventListener('icecandidateerror', (event) => {
        error = event;
        // A refusal is final; a 701 may be one address of several.
        if (event.errorCode < 700) reject(new StepFailed(step, ...faultOf(event)));
        look();
      });
    });
  }

  connected() {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.pc.connectionState === 'connected') resolve();
        if (this.pc.connectionState === 'failed') {
          reject(new StepFailed('relay', 'silent', 'the two ends do not reach each other there'));
        }
      };
      this.pc.addEventListener('connectionstatechange', look);
      look();
    });
  }
}

// Turnstile lets one stream flow at a time.
let turnstile = Promise.resolve();
function inTurn(work) {
  const mine = turnstile.then(work);
  turnstile = mine.catch(() => {});
  return mine;
}

// stepper notes how long each step takes, and which fails.
function stepper(path) {
  return async (step, work) => {
    const started = performance.now();
    const note = (ok, fault, detail) =>
      path.steps.push({step, ok, fault, ms: performance.now() - started, detail});
    try {
      const detail = await work();
      note(true, null, detail ?? '');
    } catch (error) {
      const failed = error instanceof StepFailed ? error :
        new StepFailed(step, 'server', String(error.message ?? error));
      note(false, failed.fault, failed.detail);
      throw failed;
    }
  };
}

export async function probeStun(path, uri, options) {
  const run = stepper(path);
  const end = new End({urls: [uri]}, 'all');
  try {
    await run('binding', async () => {
      end.pc.createDataChannel('stun');
      const found = end.gathered('srflx', 'binding');
      await end.pc.setLocalDescription();
      const candidate = await within(options.timeout, 'binding', found);
      // Without a NAT the answer is an address that the browser has already.
      if (!candidate) return 'no NAT, or one that hides nothing';
      path.mapped = `${candidate.address}:${candidate.port}`;
      return `this host appears as ${path.mapped}`;
    });
    path.works = true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  } finally {
    end.pc.close();
  }
}

// transformed lets the worker see what a sender sends, or a receiver receives.
function transformed(part, end, worker) {
  part.transform = new RTCRtpScriptTransform(worker, {end});
}

async function allocate(ends, path, options, worker) {
  const [a, b] = ends;
  const found = ends.map((end) => end.gathered('relay', 'allocate'));
  found.forEach((promise) => promise.catch(() => {}));
  const {sender} = a.pc.addTransceiver(options.track, {direction: 'sendonly'});
  transformed(sender, 'sender', worker);
  b.pc.addEventListener('track', ({receiver}) => transformed(receiver, 'receiver', worker));
  await a.pc.setLocalDescription();
  const first = await within(options.timeout, 'allocate', found[0]);
  if (!first) throw new StepFailed('allocate', 'silent', 'no relayed address');
  await b.pc.setRemoteDescription(a.pc.localDescription);
  await b.pc.setLocalDescription();
  await within(options.timeout, 'allocate', found[1]);
  path.relayed = `${first.address}:${first.port}`;
  return path.relayed;
}

async function meet([a, b], options) {
  a.peer = b;
  b.peer = a;
  await a.pc.setRemoteDescription(b.pc.localDescription);
  for (const {candidates, peer} of [a, b]) candidates.forEach((each) => peer.add(each));
  await within(3 * options.timeout, 'relay', Promise.all([a.connected(), b.connected()]));
}

// flow has the worker send the stream and tells `onArrival` of each packet.
async function flow(checks, options, worker, onArrival) {
  const size = Math.max(HEADER, Math.round(options.kbits * 125 * INTERVAL / 1000));
  const usual = Math.max(1, Math.floor(options.duration / INTERVAL));
  const arrivals = [];
  let [sent, changed] = [0, performance.now()];
  worker.onmessage = ({data}) => {
    if (data.arrival) {
      arrivals.push(data.arrival);
      onArrival(data.arrival, Math.max(usual, sent));
    } else {
      [sent, changed] = [data.sent, performance.now()];
    }
  };
  const measured = (count) => measure({count, size, interval: INTERVAL}, arrivals);
  const isEnough = () => {
    if (sent < usual) return false;
    const known = arrivals.length ? arrivals.at(-1).sequence + 1 : sent;
    return sent >= LONGEST * usual || (known >= usual && isClear(checks, measured(known)));
  };
  // The first packets of a connection are slow for reasons of the browser's own.
  worker.postMessage({size, warmUp: WARM_UP});
  while (!isEnough()) {
    await pause(INTERVAL);
    if (performance.now() - changed > options.timeout) {
      throw new StepFailed('relay', 'server', 'the browser stopped sending');
    }
  }
  worker.postMessage(null);
  const count = sent;
  const end = performance.now() + SETTLE;
  while (arrivals.length < count && performance.now() < end) await pause(50);
  return measured(count);
}

// probeTurn fills `path` in: its steps up to the first that failed, and the stream's quality.
export async function probeTurn(checks, path, server, options, onArrival) {
  const run = stepper(path);
  const ends = [new End(server, 'relay'), new End(server, 'relay')];
  const worker = new Worker('/nettest-worker.js');
  try {
    await run('allocate', () => allocate(ends, path, options, worker));
    await run('relay', () => meet(ends, options));
    path.quality = await inTurn(() => flow(checks, options, worker, onArrival));
    path.works = true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  } finally {
    for (const end of ends) end.pc.close();
    worker.terminate();
  }
}
