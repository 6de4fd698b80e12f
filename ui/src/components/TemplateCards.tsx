import { Link } from "@tanstack/react-router";
import type { Template } from "@/api/types";
import { useT } from "@/i18n";
import classes from "./TemplateCards.module.css";

/** Workflows to begin with. */
export function TemplateCards({ items }: { items: Template[] }) {
  const t = useT();
  return (
    <ul className={classes.cards} aria-label={t("nav.templates")}>
      {items.map((template) => (
        <li key={template.id}>
          <Link to="/workflows/$id" params={{ id: "new" }} search={{ template: template.id }} className={classes.card}>
            <span className={classes.title}>{template.title}</span>
            <span className={classes.summary}>{template.summary}</span>
            <span className={classes.tags}>
              {template.tags.map((tag) => (
                <span key={tag} className={classes.tag}>
                  {tag}
                </span>
              ))}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
