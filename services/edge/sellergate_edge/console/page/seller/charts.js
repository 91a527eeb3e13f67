// Small charts of a quota over the last minutes.
import {svg} from '../shell/elements.js';

const WIDTH = 240;
const HEIGHT = 40;
const LEAST_MILLISECONDS = 60 * 1000;
const MOST_MILLISECONDS = 5 * 60 * 1000;

/** Return a chart; `show(samples)` draws the calls that were left over the last one to five minutes. */
export function chart(label) {
  const area = svg('path', {class: 'area'});
  const line = svg('path', {class: 'line'});
  const image = svg('svg', {class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label},
    svg('line', {x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1, class: 'axis'}), area, line);
  return {
    image,
    show: (samples, now = Date.now()) => {
      const recent = samples.filter((one) => one.time >= now - MOST_MILLISECONDS);
      if (!recent.length) return;
      const span = Math.max(LEAST_MILLISECONDS, now - recent[0].time);
      const x = (time) => (WIDTH * (1 - (now - time) / span)).toFixed(1);
      const d = pathOf(recent, x);
      line.setAttribute('d', d);
      area.setAttribute('d', `${d} L${WIDTH} ${HEIGHT} L${x(recent[0].time)} ${HEIGHT} Z`);
      const least = Math.min(...recent.map((one) => one.remaining));
      image.setAttribute('aria-label', `${label}: ${recent.at(-1).remaining} now, at least ${least} in the last 5 minutes`);
    },
  };
}

/** Return the steps from sample to sample: a quota keeps its value until the next sample. */
function pathOf(samples, x) {
  const y = ({remaining, burst}) => (HEIGHT - 2 - (HEIGHT - 6) * Math.min(1, burst ? remaining / burst : 0)).toFixed(1);
  const steps = samples.map((one, index) => (index ? `H${x(one.time)} V${y(one)}` : `M${x(one.time)} ${y(one)}`));
  return `${steps.join(' ')} H${WIDTH}`;
}
