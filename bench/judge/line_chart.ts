export interface Line {
  name: string;
  colour: string;
  /** By x; a value that is null is left out. */
  points: readonly (readonly [number, number | null])[];
}

export interface Chart {
  title: string;
  x: { name: string; from: number; to: number; ticks: readonly number[] };
  /** Values are drawn by their logarithm where `isLogarithmic`, and cut to the range. */
  y: {
    name: string;
    from: number;
    to: number;
    ticks: readonly number[];
    isLogarithmic: boolean;
    unit: string;
  };
  lines: readonly Line[];
  /** A line across, with its name. */
  bound: { at: number; name: string };
}

const WIDTH = 900;
const HEIGHT = 400;
const PLOT = { left: 74, right: 560, top: 44, bottom: 344 } as const;

/** A picture of lines as SVG, which needs no font or style from elsewhere. */
export function lineChart({ title, x, y, lines, bound }: Chart): string {
  const scale = (value: number) => (y.isLogarithmic ? Math.log(value) : value);
  const across = (value: number) => place(value, x.from, x.to, PLOT.left, PLOT.right);
  const up = (value: number) => {
    const cut = Math.min(y.to, Math.max(y.from, value));
    return place(scale(cut), scale(y.from), scale(y.to), PLOT.bottom, PLOT.top);
  };
  const body = [
    text(PLOT.left, 24, title, 'font-weight="bold"'),
    ...x.ticks.map((tick) => text(across(tick), PLOT.bottom + 20, String(tick), 'text-anchor="middle"')),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, x.name, 'text-anchor="middle"'),
    ...y.ticks.flatMap((tick) => [
      ruler(up(tick), 'stroke="#e4e4e4"'),
      text(PLOT.left - 8, up(tick) + 4, `${tick}${y.unit}`, 'text-anchor="end"'),
    ]),
    text(0, 0, y.name, `text-anchor="middle" transform="translate(18 194) rotate(-90)"`),
    ruler(up(bound.at), 'stroke="#b3261e" stroke-dasharray="6 4"'),
    text(PLOT.right + 14, up(bound.at) + 4, bound.name, 'fill="#b3261e"'),
    ...lines.map((line) => polyline(line, across, up)),
    ...lines.flatMap(({ name, colour }, index) => legend(name, colour, index)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" role="img">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function place(value: number, from: number, to: number, start: number, end: number): number {
  return Number((start + ((value - from) / (to - from)) * (end - start)).toFixed(1));
}

const ruler = (y: number, style: string): string =>
  `<line x1="${PLOT.left}" y1="${y}" x2="${PLOT.right}" y2="${y}" ${style}/>`;

const text = (x: number, y: number, words: string, style: string): string =>
  `<text x="${x}" y="${y}" ${style}>${words}</text>`;

function polyline(
  { colour, points }: Line,
  across: (x: number) => number,
  up: (y: number) => number,
): string {
  const drawn = points.flatMap(([x, y]) => (y === null ? [] : [`${across(x)},${up(y)}`]));
  return `<polyline points="${drawn.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`;
}

function legend(name: string, colour: string, index: number): string[] {
  const y = PLOT.top + 12 + 24 * index;
  const left = PLOT.right + 14;
  return [
    `<line x1="${left}" y1="${y}" x2="${left + 22}" y2="${y}" stroke="${colour}" stroke-width="3"/>`,
    text(left + 30, y + 4, name, 'fill="#222222"'),
  ];
}
