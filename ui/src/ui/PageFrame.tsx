import type { ReactNode } from "react";
import classes from "./PageFrame.module.css";

/** Title, one line about it, its actions, then the page. */
export function PageFrame(props: { title: ReactNode; lead?: ReactNode; actions?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <div className={classes.frame} data-wide={props.wide || undefined}>
      <header className={classes.header}>
        <div className={classes.titles}>
          <h1 className={classes.title}>{props.title}</h1>
          {props.lead && <p className={classes.lead}>{props.lead}</p>}
        </div>
        {props.actions && <div className={classes.actions}>{props.actions}</div>}
      </header>
      {props.children}
    </div>
  );
}

export function Section(props: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <header className={classes.sectionHeader}>
        <h2 className={classes.sectionTitle}>{props.title}</h2>
        {props.actions}
      </header>
      {props.children}
    </section>
  );
}
