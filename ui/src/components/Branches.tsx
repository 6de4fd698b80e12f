import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { executionsQuery } from "@/api/queries";
import type { Execution } from "@/api/types";
import { useSpeech } from "@/i18n";
import { Status } from "@/ui/Status";
import { moment, money, shortId } from "@/util/format";
import { LinkButton } from "./LinkButton";
import classes from "./Branches.module.css";

/** Runs of the same file that are looked through for forks. */
const LOOKED_AT = 200;

/** The run, what it was forked from, and what was forked from it, as a tree. Nothing where there is no fork. */
export function Branches({ execution }: { execution: Execution }) {
  const { t, locale } = useSpeech();
  const { data } = useQuery({ ...executionsQuery({ workflow: execution.workflow, limit: LOOKED_AT }), refetchInterval: false });
  const family = familyOf(execution, data?.items ?? []);
  if (family.length < 2) return null;
  return (
    <section className={classes.branches}>
      <h2 className={classes.title}>{t("history.branches")}</h2>
      <ul className={classes.tree} aria-label={t("history.branches")}>
        {family.map(({ run, depth }) => (
          <li key={run.id} className={classes.row} style={{ paddingLeft: 14 + depth * 22 }} aria-current={run.id === execution.id || undefined}>
            <Status status={run.status} />
            <Link to="/executions/$id" params={{ id: run.id }} search={{ tab: "history" }} className={classes.link}>
              {shortId(run.id)}
            </Link>
            <span className={classes.facts}>
              {moment(run.created_at, locale)} · {money(Number(run.cost) * 1_000_000, locale)}
            </span>
            {run.id !== execution.id && (
              <LinkButton to="/compare" search={{ left: execution.id, right: run.id }} variant="default" size="compact-xs">
                {t("compare.with")}
              </LinkButton>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** From the run that all were forked from down, forks below what they go on from, the older first. */
function familyOf(execution: Execution, listed: Execution[]): { run: Execution; depth: number }[] {
  const runs = new Map([execution, ...listed].map((run) => [run.id, run]));
  let root = execution;
  for (let above = runs.get(root.forked_from?.execution ?? ""); above; above = runs.get(root.forked_from?.execution ?? "")) root = above;
  const below = (run: Execution, depth: number): { run: Execution; depth: number }[] => {
    const forks = [...runs.values()].filter((other) => other.forked_from?.execution === run.id);
    forks.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
    return [{ run, depth }, ...forks.flatMap((fork) => below(fork, depth + 1))];
  };
  return below(root, 0);
}
