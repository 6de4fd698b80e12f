import { useState } from "react";
import { useT } from "@/i18n";
import classes from "./JsonTree.module.css";

interface Props {
  name?: string;
  value: unknown;
  /** What it was before, to show the difference; left out when there is nothing to compare. */
  before?: { value: unknown };
  depth?: number;
}

const TEXT_MAX = 240;
const ITEMS_MAX = 100;

/** A value of JSON to open and close, with what is new and what is gone marked. */
export function JsonTree({ name, value, before, depth = 0 }: Props) {
  const changed = before !== undefined && !same(before.value, value);
  const mark = !changed ? undefined : before.value === undefined ? "new" : value === undefined ? "gone" : "changed";
  if (typeof value !== "object" || value === null) {
    return <Leaf name={name} value={mark === "gone" ? before?.value : value} mark={mark} before={before?.value} />;
  }
  return <Branch name={name} value={value} before={before} mark={mark} depth={depth} />;
}

function Branch({ name, value, before, mark, depth }: Props & { value: object; mark?: string; depth: number }) {
  const t = useT();
  const entries = entriesOf(value);
  const earlier = typeof before?.value === "object" && before.value !== null ? Object.fromEntries(entriesOf(before.value)) : undefined;
  const [open, setOpen] = useState(depth < 1 || (depth < 3 && entries.length <= 6) || mark !== undefined);
  const [all, setAll] = useState(false);
  const isList = Array.isArray(value);
  const summary = isList ? `[${entries.length}]` : (summaryOf(value) ?? `{${entries.length}}`);
  const shown = all ? entries : entries.slice(0, ITEMS_MAX);
  return (
    <div className={classes.branch} data-mark={mark}>
      <button type="button" className={classes.toggle} aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className={classes.arrow} aria-hidden>
          {open ? "▾" : "▸"}
        </span>
        {name !== undefined && <span className={classes.key}>{name}</span>}
        <span className={classes.summary}>{summary}</span>
      </button>
      {open && (
        <div className={classes.inside}>
          {shown.map(([key, item]) => (
            <JsonTree
              key={key}
              name={key}
              value={item}
              before={before && { value: earlier?.[key] }}
              depth={depth + 1}
            />
          ))}
          {entries.length > shown.length && (
            <button type="button" className={classes.more} onClick={() => setAll(true)}>
              {t("common.more")} ({entries.length - shown.length})
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Leaf({ name, value, mark, before }: { name?: string; value: unknown; mark?: string; before?: unknown }) {
  const t = useT();
  const [all, setAll] = useState(false);
  // An empty text would look like nothing at all.
  const text = typeof value === "string" && value !== "" ? value : JSON.stringify(value);
  const long = (text ?? "").length > TEXT_MAX;
  return (
    <div className={classes.leaf} data-mark={mark}>
      {name !== undefined && <span className={classes.key}>{name}</span>}
      <span className={classes.value} data-type={value === null || value === "" ? "null" : typeof value}>
        {mark === "changed" && (typeof before !== "object" || before === null) && (
          <del className={classes.was}>{short(String(before))}</del>
        )}
        {long && !all ? `${text.slice(0, TEXT_MAX)}…` : text}
        {long && (
          <button type="button" className={classes.more} onClick={() => setAll(!all)}>
            {all ? t("json.less") : t("json.whole")}
          </button>
        )}
      </span>
    </div>
  );
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function entriesOf(value: object): [string, unknown][] {
  return Array.isArray(value) ? value.map((item, index) => [String(index), item]) : Object.entries(value);
}

/** What a tagged value is in short: a message shows who says what. */
function summaryOf(value: object): string | undefined {
  const { $type: tag, type, content } = value as Record<string, unknown>;
  if (tag !== "message") return typeof tag === "string" ? tag : undefined;
  return `${String(type)}: ${typeof content === "string" ? short(content) : "…"}`;
}

export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
