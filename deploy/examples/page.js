// Two ends in one page, which may use the relay alone: what works here works between two browsers,
// where offer, answer and candidates go through your signalling instead.
const status = document.querySelector('#status');
const say = (text) => { status.textContent = text; };

async function call() {
  say('asks the back end for a credential …');
  const answer = await fetch('/token');
  if (!answer.ok) throw new Error('the back end has no credential: see its output');
  const config = {...await answer.json(), iceTransportPolicy: 'relay'};
  const a = new RTCPeerConnection(config);
  const b = new RTCPeerConnection(config);
  a.onicecandidate = ({candidate}) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({candidate}) => candidate && a.addIceCandidate(candidate);
  a.onicecandidateerror = ({errorCode, errorText, url}) =>
    console.warn(`${url}: ${errorCode} ${errorText}`);
  const channel = a.createDataChannel('hello');
  const received = new Promise((resolve) => {
    b.ondatachannel = (event) => { event.channel.onmessage = ({data}) => resolve(data); };
  });
  channel.onopen = () => channel.send('Hello through the relay');

  say('connects …');
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const late = new Promise((_, reject) => setTimeout(
    () => reject(new Error('no connection after 20 s: can this browser reach the relay?')), 20000));
  say(`received: ${await Promise.race([received, late])}`);
  a.close();
  b.close();
}

document.querySelector('#call').addEventListener('click', () => {
  call().catch((error) => say(error.message));
});
