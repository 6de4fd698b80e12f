import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import { useState } from "react";
import type { Diagnostic } from "@/api/spec";
import { useT } from "@/i18n";
import classes from "./Studio.module.css";
import { useStudio } from "./store";

const ICONS = { error: IconCircleX, warning: IconAlertTriangle, info: IconInfoCircle };

/** What is wrong with the code; each leads to its place. */
export function Problems() {
  const t = useT();
  const problems = useStudio((state) => state.problems);
  const [open, setOpen] = useState(false);
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const worst = errors > 0 ? "error" : problems.some((problem) => problem.severity === "warning") ? "warning" : "info";
  const Icon = problems.length === 0 ? IconCircleCheck : ICONS[worst];
  return (
    <div className={classes.problems}>
      <button
        type="button"
        className={classes.problemsBar}
        data-severity={problems.length === 0 ? "none" : worst}
        aria-expanded={open && problems.length > 0}
        disabled={problems.length === 0}
        onClick={() => setOpen(!open)}
      >
        <Icon size={15} stroke={1.8} aria-hidden />
        {problems.length === 0 ? t("studio.noProblems") : t("studio.problems", { count: problems.length })}
      </button>
      {open && problems.length > 0 && (
        <ul className={classes.problemList}>
          {problems.map((problem) => (
            <Problem key={`${problem.code}.${problem.start}.${problem.message}`} problem={problem} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Problem({ problem }: { problem: Diagnostic }) {
  const t = useT();
  const Icon = ICONS[problem.severity];
  return (
    <li>
      <button
        type="button"
        className={classes.problem}
        data-severity={problem.severity}
        onClick={() => useStudio.getState().editor?.goTo(problem.line, problem.column)}
      >
        <Icon size={15} stroke={1.8} aria-hidden />
        <span>
          {problem.message}
          {problem.help && <span className={classes.help}>{problem.help}</span>}
        </span>
        <span className={classes.lineNumber}>{t("problems.line", { line: problem.line })}</span>
      </button>
    </li>
  );
}
