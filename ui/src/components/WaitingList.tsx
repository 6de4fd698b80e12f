import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { executionQuery } from "@/api/queries";
import type { Execution } from "@/api/types";
import { useT } from "@/i18n";
import { QuestionCard } from "@/studio/run/QuestionCard";
import { TimeAgo } from "@/ui/TimeAgo";
import { LinkButton } from "./LinkButton";
import classes from "./WaitingList.module.css";

/** Runs that ask a person, each with its questions to answer in place. */
export function WaitingList({ items }: { items: Execution[] }) {
  const t = useT();
  return (
    <ul className={classes.list} aria-label={t("home.waiting")}>
      {items.map((run) => (
        <Waiting key={run.id} run={run} />
      ))}
    </ul>
  );
}

function Waiting({ run }: { run: Execution }) {
  const t = useT();
  const { data } = useQuery({ ...executionQuery(run.id), refetchInterval: 3_000 });
  const questions = data?.questions ?? run.questions ?? [];
  const stopped = data?.stopped_before ?? [];
  const reason = stopped.length > 0 ? t("run.stoppedBefore", { nodes: stopped.join(", ") }) : t("approvals.moment");
  return (
    <li className={classes.item}>
      <div className={classes.about}>
        <Link to="/executions/$id" params={{ id: run.id }} className={classes.name}>
          {run.workflow.replace(/\.py$/, "")}
        </Link>
        <span className={classes.since}>
          <TimeAgo time={questions[0]?.asked_at ?? run.created_at} />
        </span>
      </div>
      <div className={classes.questions}>
        {questions.length === 0 && (
          <div className={classes.stopped}>
            <span>{reason}</span>
            <LinkButton to="/workflows/$id" params={{ id: run.workflow_id ?? "new" }} search={{ run: run.id }} variant="default">
              {t("runs.onCanvas")}
            </LinkButton>
          </div>
        )}
        {questions.map((question) => (
          <QuestionCard key={question.id} execution={run.id} question={question} />
        ))}
      </div>
    </li>
  );
}
