// Runs in a real browser: for each case of /plan, two RTCPeerConnections of this page talk to each
// other through the relay and through nothing else. Results are posted back to the test as JSON.

const CHUNK = 16 * 1024;
const WINDOW = 4 * CHUNK;
const PACE_MS = 10;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const happens = (target, name) =>
  new Promise((resolve) => target.addEventListener(name, resolve, {once: true}));
const post = (path, value) => fetch(path, {method: 'POST', body: JSON.stringify(value)});

// within fails a step that hangs, by name.
function within(seconds, what, promise) {
  const late = pause(seconds * 1000).then(() => {
    throw new Error(`waited ${seconds} s in vain for ${what}`);
  });
  return Promise.race([promise, late]);
}

class Side {
  constructor(name, plan) {
    this.errors = [];
    this.received = 0;
    this.wrong = 0;
    this.pc = new RTCPeerConnection({
      iceServers: [{urls: plan.urls, username: plan[name].username,
                    credential: plan[name].password}],
      iceTransportPolicy: plan.policy || 'relay',
      bundlePolicy: 'max-bundle',
    });
    this.pc.addEventListener('icecandidateerror', (e) =>
      this.errors.push(`${e.errorCode} ${e.errorText} ${e.url}`));
    this.pc.addEventListener('track', (e) => this.show(e.track));
  }

  // A track is decoded only while something plays it.
  show(track) {
    const element = document.createElement(track.kind);
    element.muted = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    element.play().catch((error) => this.errors.push(String(error)));
  }

  connected() {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.pc.connectionState === 'connected') resolve();
        if (this.pc.connectionState === 'failed') reject(new Error('the connection failed'));
      };
      this.pc.addEventListener('connectionstatechange', look);
      look();
    });
  }

  use(channel) {
    this.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', (e) => this.onData(new Uint8Array(e.data)));
  }

  onData(bytes) {
    bytes.forEach((byte, i) => { this.wrong += byte !== (this.received + i) % 251 ? 1 : 0; });
    this.received += bytes.length;
  }

  // send sends `total` bytes, of which each says its place. A pace keeps SCTP from filling socket
  // buffers: what the kernel drops there would blur the test's sums. It goes by what the other side
  // has, since Chromium's bufferedAmount now and then never falls again after the first message on
  // a channel that the other side has opened.
  async send(total, other) {
    for (let at = 0; at < total; at += CHUNK) {
      const size = Math.min(CHUNK, total - at);
      while (at - other.received > WINDOW) await pause(PACE_MS);
      this.channel.send(Uint8Array.from({length: size}, (_, i) => (at + i) % 251));
      await pause(PACE_MS);
    }
  }

  async has(total) {
    while (this.received < total) await pause(20);
  }

  async stats() {
    return [...(await this.pc.getStats()).values()];
  }
}

function exchange(from, to) {
  from.pc.addEventListener('icecandidate', (e) => {
    if (e.candidate) to.pc.addIceCandidate(e.candidate).catch((x) => to.errors.push(String(x)));
  });
}

async function connect(a, b) {
  exchange(a, b);
  exchange(b, a);
  await a.pc.setLocalDescription();
  await b.pc.setRemoteDescription(a.pc.localDescription);
  await b.pc.setLocalDescription();
  await a.pc.setRemoteDescription(b.pc.localDescription);
  await within(30, 'the connection', Promise.all([a.connected(), b.connected()]));
}

async function run(plan, result) {
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  const sides = {a: new Side('a', plan), b: new Side('b', plan)};
  const {a, b} = sides;
  try {
    a.use(a.pc.createDataChannel('data'));
    const channel = happens(b.pc, 'datachannel').then((e) => b.use(e.channel));
    for (const track of media.getTracks()) a.pc.addTrack(track.clone(), media);
    await connect(a, b);
    await within(10, 'the data channel', channel);
    if (a.channel.readyState !== 'open') await happens(a.channel, 'open');
    await within(30, 'all data', Promise.all([a.send(plan.a.bytes, b), b.send(plan.b.bytes, a),
                                              a.has(plan.b.bytes), b.has(plan.a.bytes)]));
    await pause(plan.media_seconds * 1000);
    result.media = await b.stats();
    // At rest only ICE's checks and RTCP's reports are on their way, so what the browser counts
    // here is what the relay has counted.
    for (const sender of a.pc.getSenders()) await sender.replaceTrack(null);
    await pause(1500);
    for (const name of ['a', 'b']) result[name] = {stats: await sides[name].stats()};
  } finally {
    for (const name of ['a', 'b']) {
      const side = sides[name];
      side.pc.close();
      result[name] = {...result[name], errors: side.errors, received: side.received,
                      wrong: side.wrong};
    }
    for (const track of media.getTracks()) track.stop();
    document.body.replaceChildren();
  }
}

const {cases} = await (await fetch('/plan')).json();
for (const plan of cases) {
  const result = {name: plan.name, error: '', agent: navigator.userAgent};
  try {
    await run(plan, result);
  } catch (error) {
    result.error = `${error}`;
  }
  await post('/result', result);
}
