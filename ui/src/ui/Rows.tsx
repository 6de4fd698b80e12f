import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import classes from "./Rows.module.css";

interface Props<T> {
  label: string;
  items: T[];
  /** Of every row, in pixels. */
  height: number;
  keyOf(item: T): string | number;
  row(item: T): ReactNode;
}

/** Rows kept ready beyond what is seen, so that a short scroll shows no gap. */
const SPARE = 12;

/**
 * A list of rows of one height. Only those in sight are in the page: it scrolls
 * with whatever scrolls around it, and ten thousand cost as much as thirty.
 */
export function Rows<T>({ label, items, height, keyOf, row }: Props<T>) {
  const host = useRef<HTMLUListElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 60 });
  const total = items.length * height;
  useLayoutEffect(() => {
    const list = host.current!;
    const scroller = scrollerOf(list);
    const look = () => {
      const top = list.getBoundingClientRect().top;
      const view = scroller === window ? { top: 0, height: innerHeight } : boxOf(scroller as HTMLElement);
      const from = Math.max(0, Math.floor((view.top - top) / height) - SPARE);
      const to = Math.ceil((view.top + view.height - top) / height) + SPARE;
      setSeen((old) => (old.from === from && old.to === to ? old : { from, to }));
    };
    look();
    scroller.addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      scroller.removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [height, total]);
  const shown = items.slice(seen.from, seen.to);
  return (
    <ul ref={host} className={classes.rows} style={{ height: total }} aria-label={label}>
      {shown.map((item, at) => (
        <li
          key={keyOf(item)}
          className={classes.row}
          style={{ height, transform: `translateY(${(seen.from + at) * height}px)` }}
          aria-setsize={items.length}
          aria-posinset={seen.from + at + 1}
        >
          {row(item)}
        </li>
      ))}
    </ul>
  );
}

function boxOf(element: HTMLElement): { top: number; height: number } {
  const { top, height } = element.getBoundingClientRect();
  return { top, height };
}

function scrollerOf(element: HTMLElement): HTMLElement | Window {
  for (let at = element.parentElement; at; at = at.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return window;
}
