// The stream that /nettest measures with: the frames of an audio track, whose bytes this worker
// replaces by a number and the time. So they travel as a call's packets do, by RTP over UDP's loss
// and reordering: a data channel's congestion control would hold packets back and drop others.
// Both ends are here, and so on one clock.

const NOT_COUNTED = 0xffffffff;
const HEADER = 12;  // sequence and time

let stream = null;  // {size, warmUp, next}: while it flows

function stamp(frame, controller) {
  if (!stream) return;
  const counts = stream.warmUp === 0;
  const view = new DataView(new ArrayBuffer(stream.size));
  view.setUint32(0, counts ? stream.next : NOT_COUNTED);
  view.setFloat64(4, performance.now());
  frame.data = view.buffer;
  controller.enqueue(frame);
  if (counts) postMessage({sent: stream.next += 1});
  else stream.warmUp -= 1;
}

// note keeps the frame: what is not audio any more must not be heard. Chromium sends empty frames
// before the stream flows.
function note(frame) {
  if (frame.data.byteLength < HEADER) return;
  const view = new DataView(frame.data);
  const sequence = view.getUint32(0);
  if (sequence === NOT_COUNTED) return;
  postMessage({arrival: {sequence, sent: view.getFloat64(4), arrived: performance.now()}});
}

onrtctransform = ({transformer}) => {
  const transform = transformer.options.end === 'sender' ? stamp : note;
  transformer.readable.pipeThrough(new TransformStream({transform})).pipeTo(transformer.writable)
    .catch(() => {});  // the connection is closed
};

onmessage = ({data}) => {
  stream = data && {...data, next: 0};
};
