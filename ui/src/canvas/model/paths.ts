import type { Place } from "@/api/types";

export interface Box extends Place {
  width: number;
  height: number;
}

/** A way to draw an edge, and where its label stands. */
export interface Drawn {
  d: string;
  label: Place;
}

/** Through the points that keep clear of other nodes, rounded at each; the label in the middle where no place is given. */
export function through(points: Place[], label?: Place): Drawn {
  const [first, ...rest] = points;
  if (!first || rest.length === 0) return { d: "", label: first ?? { x: 0, y: 0 } };
  let d = `M${at(first)}`;
  for (let i = 0; i < rest.length - 1; i += 1) {
    const corner = rest[i]!;
    d += `Q${at(corner)} ${at(i === rest.length - 2 ? rest[i + 1]! : middle(corner, rest[i + 1]!))}`;
  }
  if (rest.length === 1) d += `L${at(rest[0]!)}`;
  return { d, label: label ?? points[Math.floor(points.length / 2)] ?? first };
}

/** Between two boxes that were moved: down, or around the side when it leads back up. */
export function between(source: Box, target: Box): Drawn {
  const from = { x: source.x + source.width / 2, y: source.y + source.height };
  const to = { x: target.x + target.width / 2, y: target.y };
  if (to.y >= from.y + 8) {
    const reach = Math.max(24, (to.y - from.y) / 2);
    const d = `M${at(from)}C${at({ x: from.x, y: from.y + reach })} ${at({ x: to.x, y: to.y - reach })} ${at(to)}`;
    return { d, label: middle(from, to) };
  }
  const out = { x: source.x + source.width, y: source.y + source.height / 2 };
  const back = { x: target.x + target.width, y: target.y + target.height / 2 };
  const side = Math.max(out.x, back.x) + 56;
  return { d: `M${at(out)}C${at({ x: side, y: out.y })} ${at({ x: side, y: back.y })} ${at(back)}`, label: { x: side - 14, y: (out.y + back.y) / 2 } };
}

/** From a box back to itself: out at its right side and in again below. */
export function around({ x, y, width, height }: Box): Drawn {
  const right = x + width;
  const out = { x: right, y: y + height * 0.3 };
  const back = { x: right, y: y + height * 0.7 };
  const reach = right + 54;
  return {
    d: `M${at(out)}C${at({ x: reach, y: out.y - 18 })} ${at({ x: reach, y: back.y + 18 })} ${at(back)}`,
    label: { x: right + 40, y: y + height / 2 },
  };
}

function middle(a: Place, b: Place): Place {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function at({ x, y }: Place): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}
