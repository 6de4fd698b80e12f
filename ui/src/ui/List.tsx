import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import classes from "./List.module.css";

export interface Column<T> {
  label: string;
  cell(item: T): ReactNode;
  /** CSS width; the others share what is left. */
  width?: string;
  /** Gone on a narrow screen. */
  minor?: boolean;
  end?: boolean;
}

interface Props<T> {
  label: string;
  items: T[];
  columns: Column<T>[];
  keyOf(item: T): string;
  /** The first column leads there, and with it the row. */
  linkOf?(item: T): string;
}

/** A table whose rows lead somewhere. */
export function List<T>({ label, items, columns, keyOf, linkOf }: Props<T>) {
  return (
    <div className={classes.frame}>
      <table className={classes.table} aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.label} scope="col" style={{ width: column.width }} data-minor={column.minor || undefined} data-end={column.end || undefined}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={keyOf(item)} data-link={linkOf ? true : undefined}>
              {columns.map((column, at) => (
                <td key={column.label} data-minor={column.minor || undefined} data-end={column.end || undefined}>
                  {at === 0 && linkOf ? (
                    <Link to={linkOf(item)} className={classes.link}>
                      {column.cell(item)}
                    </Link>
                  ) : (
                    column.cell(item)
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
