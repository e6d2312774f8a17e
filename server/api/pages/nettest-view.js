// What the network test shows of an edge: paths, a latency plot, verdicts, advice.

import {drawing, element} from '/dom.js';
import {bestPath, failureOf, PATHS} from '/nettest-judge.js';

const HEIGHT = 180;
const LEFT = 44;
const BOTTOM = 24;

const OUTCOMES = {
  pass: ['good', 'Works'], degraded: ['warn', 'Limited'], fail: ['bad', 'Does not work'],
};

export const badge = (kind, text) => element('span', {class: `badge ${kind}`}, text);

// Plot draws a packet's round trip as it arrives; losses become marks at the foot.
export class Plot {
  constructor() {
    this.points = [];
    this.count = 1;
    this.svg = drawing('svg', {class: 'plot', role: 'img',
                               'aria-label': 'Round-trip times of test packets'});
  }

  add({sequence, sent, arrived}, count) {
    this.count = count;
    this.points.push([sequence, arrived - sent]);
    // Seldom: drawing takes time from the packets.
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.draw();
    }, 200);
  }

  finish(quality) {
    clearTimeout(this.timer);
    this.timer = -1;
    this.count = quality.sent;
    this.points = quality.round_trips_ms.map((trip, i) => [i, trip]);
    this.draw();
    this.svg.setAttribute('aria-label', `Round-trip times of ${quality.sent} test packets: median ` +
      `${quality.rtt_p50_ms.toFixed(1)} ms, 95 % below ${quality.rtt_p95_ms.toFixed(1)} ms, ` +
      `${quality.sent - quality.received} lost`);
  }

  draw() {
    // One unit is one pixel, so that letters keep their size on any screen.
    const width = this.svg.clientWidth || 720;
    this.svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    const trips = this.points.map(([, trip]) => trip ?? 0);
    const [step, top] = scale(Math.max(...trips, 1));
    const x = (i) => LEFT + (width - LEFT - 8) * (i + 0.5) / this.count;
    const y = (ms) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 12) * ms / top;
    const marks = [];
    for (let ms = 0; ms <= top + step / 2; ms += step) {
      marks.push(drawing('line', {class: 'grid', x1: LEFT, x2: width - 8, y1: y(ms), y2: y(ms)}),
                 drawing('text', {x: LEFT - 8, y: y(ms) + 4, 'text-anchor': 'end'},
                         `${+ms.toFixed(1)}`));
    }
    for (const [i, trip] of this.points) {
      marks.push(trip === null ?
        drawing('line', {class: 'lost', x1: x(i), x2: x(i), y1: y(0) - 10, y2: y(0)}) :
        drawing('circle', {class: 'dot', cx: x(i), cy: y(trip), r: 2.2}));
    }
    marks.push(drawing('text', {x: LEFT, y: HEIGHT - 6},
                       'round trip of each packet, ms; a red mark is a lost one'));
    this.svg.replaceChildren(...marks);
  }
}

// scale returns a round step and a top at or above `most`, in at most five steps.
export function scale(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each * 5 >= most);
  return [step, Math.ceil(most / step) * step];
}

const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

// pathRow is the row of a path in whatever state it is.
function pathRow(checks, path) {
  const name = element('th', {scope: 'row', class: 'way'}, checks.paths[path.path]);
  const cells = (state, what) => element('tr', {}, name, element('td', {class: 'state'}, state),
                                         element('td', {colspan: 4, class: 'what'}, what));
  if (path.skipped) return cells(badge('', 'not tried'), path.skipped);
  const failure = failureOf(path);
  if (failure) {
    return cells(badge('bad', 'fails'), `${checks.steps[failure.step]}: ${failure.detail}`);
  }
  if (!path.works) return cells(badge('', path.steps.length ? 'measuring' : 'trying'), '');
  const quality = path.quality;
  if (!quality) return cells(badge('good', 'works'), path.steps.at(-1).detail);
  const cell = (label, text) => element('td', {class: 'number', 'data-name': label}, text);
  return element('tr', {}, name, element('td', {class: 'state'}, badge('good', 'works')),
                 cell('round trip', `${ms(quality.rtt_p50_ms)} (${ms(quality.rtt_p95_ms)})`),
                 cell('jitter', ms(quality.jitter_ms)),
                 cell('loss', `${quality.loss_percent.toFixed(1)} %`),
                 cell('rate', `${quality.received_kbits.toFixed(0)} kbit/s`));
}

// EdgeView is the card of one edge. `edge` is the report's part, filled in as the test goes on.
export class EdgeView {
  constructor(checks, edge) {
    Object.assign(this, {checks, edge, plots: {}});
    this.rows = element('tbody');
    this.state = badge('', 'testing');
    this.plotted = element('div', {hidden: true});
    this.end = element('div');
    const head = ['Way', '', 'Round trip (p95)', 'Jitter', 'Loss', 'Rate'];
    this.card = element('section', {class: 'card', 'aria-label': `Edge ${edge.name}`},
      element('div', {class: 'row ends'},
        element('h2', {}, edge.name,
          edge.region ? element('span', {class: 'soft small'}, `  ${edge.region}`) : null),
        this.state),
      element('p', {class: 'soft small'}, edge.host),
      element('table', {class: 'stack'},
        element('thead', {}, element('tr', {}, head.map((text, i) =>
          element('th', {scope: 'col', class: i > 1 ? 'number' : undefined}, text)))),
        this.rows),
      this.plotted, this.end);
    this.update();
  }

  update() {
    this.rows.replaceChildren(...this.edge.paths.map((path) => pathRow(this.checks, path)));
  }

  // arrival draws a packet of a path that is being measured.
  arrival(path, arrival, count) {
    this.plots[path] ??= new Plot();
    this.plots[path].add(arrival, count);
    this.show(path);
  }

  show(path) {
    if (this.shown === path) return;
    this.shown = path;
    this.plotted.hidden = false;
    this.plotted.replaceChildren(element('h3', {}, `Latency, ${this.checks.paths[path]}`),
                                 this.plots[path].svg);
  }

  // finish shows verdicts and advice, and the plot of the path that a call would take.
  finish() {
    this.update();
    const best = bestPath(this.edge);
    for (const path of this.edge.paths) {
      if (path.quality) (this.plots[path.path] ??= new Plot()).finish(path.quality);
    }
    if (best) this.show(best.path);
    this.plotted.hidden = !best;
    const worst = ['fail', 'degraded', 'pass'].find((outcome) =>
      this.edge.verdicts.some((verdict) => verdict.outcome === outcome));
    const any = this.edge.verdicts.some((verdict) => verdict.outcome !== 'fail');
    const [kind, text] = worst === 'fail' && any ? ['warn', 'Not for all'] : OUTCOMES[worst];
    this.state.replaceWith(this.state = badge(kind, text));
    const title = (name) => this.checks.profiles.find((profile) => profile.name === name).title;
    this.end.replaceChildren(
      element('h3', {}, 'Good enough for'),
      element('div', {class: 'verdicts'}, this.edge.verdicts.map((verdict) =>
        element('div', {class: 'verdict', 'data-profile': verdict.profile},
          element('div', {class: 'row ends'}, element('strong', {}, title(verdict.profile)),
            badge(...OUTCOMES[verdict.outcome])),
          element('p', {}, verdict.reason)))),
      this.edge.advice.length ? element('h3', {}, 'What to do') : '',
      this.edge.advice.length ? element('ul', {class: 'advice'},
        this.edge.advice.map((sentence) => element('li', {}, withCode(sentence)))) : '');
    this.redraw();
  }

  // redraw fits the plot to its place, which has a size only now, or another one.
  redraw() {
    if (this.shown) this.plots[this.shown].draw();
  }
}

// withCode sets what stands between backticks as code.
const withCode = (sentence) => sentence.split('`').map((part, i) =>
  i % 2 ? element('code', {}, part) : part);

export {PATHS};
