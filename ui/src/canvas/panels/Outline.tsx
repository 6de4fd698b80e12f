import { useRef } from "react";
import { useT } from "@/i18n";
import { useStudio } from "@/studio/store";
import { LOOK } from "../nodes/look";
import classes from "./panels.module.css";

/** The canvas as a list: the same nodes in the order of the file, each with where it leads. */
export function Outline({ onSelect }: { onSelect(id: string): void }) {
  const t = useT();
  const nodes = useStudio((state) => state.nodes);
  const edges = useStudio((state) => state.edges);
  const selected = useStudio((state) => state.selected);
  const runs = useStudio((state) => state.run.nodes);
  const list = useRef<HTMLDivElement>(null);

  const work = nodes.filter((node) => node.type !== "end");
  const nameOf = (id: string) => {
    const node = nodes.find((node) => node.id === id)?.data.node;
    return node ? (node.kind === "end" ? t("node.end") : node.name) : id;
  };
  const step = (by: number) => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>("[role=treeitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[Math.min(items.length - 1, Math.max(0, at + by))]?.focus();
  };
  return (
    <div
      ref={list}
      className={classes.outline}
      role="tree"
      aria-label={t("studio.outline")}
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        step(event.key === "ArrowDown" ? 1 : -1);
      }}
    >
      {work.map(({ id, data: { node } }, at) => {
        const { icon: Icon, label } = LOOK[node.kind];
        const ways = edges.filter((edge) => edge.source === id).map((edge) => nameOf(edge.target));
        const state = runs[id]?.state;
        return (
          <button
            key={id}
            type="button"
            role="treeitem"
            aria-selected={selected === id}
            tabIndex={selected === id || (selected === null && at === 0) ? 0 : -1}
            className={classes.item}
            style={{ paddingLeft: 8 + 16 * (id.split("/").length - 1) }}
            onClick={() => onSelect(id)}
            onFocus={() => onSelect(id)}
          >
            <Icon size={15} stroke={1.7} className={classes.itemIcon} aria-label={t(label)} />
            <span className={classes.itemName}>
              {node.name}
              {ways.length > 0 && <span style={{ color: "var(--ink-3)" }}> → {ways.join(", ")}</span>}
            </span>
            {state && state !== "idle" && <span className={classes.itemState}>{t(`nodeState.${state}`)}</span>}
          </button>
        );
      })}
    </div>
  );
}
