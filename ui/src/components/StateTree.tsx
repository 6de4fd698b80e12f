import { useT } from "@/i18n";
import { JsonTree } from "@/ui/JsonTree";
import classes from "./StateTree.module.css";

interface Props {
  /** State keys with their values. */
  values: unknown;
  /** Another state, of which the first is marked as the older one. */
  other?: { values: unknown };
}

/** A state as a tree; with another beside it, what is different there. */
export function StateTree({ values, other }: Props) {
  const t = useT();
  const first = (values ?? {}) as Record<string, unknown>;
  const second = (other?.values ?? {}) as Record<string, unknown>;
  const shown = other ? second : first;
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])];
  if (names.length === 0) return <p className={classes.quiet}>{t("run.noState")}</p>;
  return (
    <div className={classes.tree}>
      {names.map((name) => (
        <JsonTree key={name} name={name} value={shown[name]} before={other && { value: first[name] }} />
      ))}
    </div>
  );
}
