import { type ReactNode, useRef, useState } from "react";
import classes from "./Split.module.css";

interface Props {
  /** Where the share of the first pane is remembered. */
  id: string;
  label: string;
  initial: number;
  /** Both, or one alone; the other stays in the page, out of sight. */
  shown: "both" | "first" | "second";
  children: [ReactNode, ReactNode];
}

const MIN = 0.18;

/** Two panes side by side with a border that can be dragged, or moved with the arrow keys. */
export function Split({ id, label, initial, shown, children }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const key = `agentweaver.split.${id}`;
  const [share, setShare] = useState(() => clamp(Number(localStorage.getItem(key)) || initial));
  const move = (to: number) => {
    const next = clamp(to);
    setShare(next);
    localStorage.setItem(key, String(next));
  };
  return (
    <div
      ref={host}
      className={classes.split}
      style={{ gridTemplateColumns: shown === "both" ? `${share}fr 1px ${1 - share}fr` : "minmax(0, 1fr)" }}
    >
      <div className={classes.pane} hidden={shown === "second"}>
        {children[0]}
      </div>
      <div
        role="separator"
        hidden={shown !== "both"}
        tabIndex={0}
        aria-orientation="vertical"
        aria-label={label}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={MIN * 100}
        aria-valuemax={(1 - MIN) * 100}
        className={classes.border}
        onKeyDown={(event) => {
          if (event.key === "ArrowLeft") move(share - 0.03);
          if (event.key === "ArrowRight") move(share + 0.03);
        }}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
          const box = host.current!.getBoundingClientRect();
          move((event.clientX - box.left) / box.width);
        }}
      />
      <div className={classes.pane} hidden={shown === "first"}>
        {children[1]}
      </div>
    </div>
  );
}

function clamp(share: number): number {
  return Math.min(1 - MIN, Math.max(MIN, share));
}
