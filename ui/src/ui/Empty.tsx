import type { IconSearch } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./Empty.module.css";

/** A place without content says what it is for and what to do next. */
export function Empty(props: { icon: typeof IconSearch; title: string; text?: string; action?: ReactNode }) {
  const { icon: Icon, title, text, action } = props;
  return (
    <div className={classes.empty}>
      <Icon size={28} stroke={1.3} className={classes.icon} aria-hidden />
      <p className={classes.title}>{title}</p>
      {text && <p className={classes.text}>{text}</p>}
      {action && <div className={classes.action}>{action}</div>}
    </div>
  );
}
