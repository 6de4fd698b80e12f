import { ActionIcon, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import {
  IconChecklist,
  IconCommand,
  IconGauge,
  IconHome,
  IconLayoutGrid,
  IconMoon,
  IconPlayerPlay,
  IconRoute,
  IconSettings,
  IconSun,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useMatchRoute } from "@tanstack/react-router";
import { executionsQuery } from "@/api/queries";
import { type Key, useT } from "@/i18n";
import { CommandPalette } from "./CommandPalette";
import { Mark } from "./Mark";
import { ServerNotice } from "./ServerNotice";
import classes from "./Shell.module.css";

const PLACES = [
  { to: "/", label: "nav.home", icon: IconHome },
  { to: "/workflows", label: "nav.workflows", icon: IconRoute },
  { to: "/executions", label: "nav.executions", icon: IconPlayerPlay },
  { to: "/approvals", label: "nav.approvals", icon: IconChecklist },
  { to: "/templates", label: "nav.templates", icon: IconLayoutGrid },
  { to: "/monitoring", label: "nav.monitoring", icon: IconGauge },
  { to: "/settings", label: "nav.settings", icon: IconSettings },
] satisfies { to: string; label: Key; icon: typeof IconHome }[];

/** The frame of every page: where one can go, and the page itself. */
export function Shell() {
  const t = useT();
  const inStudio = useMatchRoute()({ to: "/workflows/$id" }) !== false;
  const waiting = useQuery(executionsQuery({ status: "waiting", limit: 50 })).data?.items.length ?? 0;
  return (
    <div className={classes.shell} data-narrow={inStudio || undefined}>
      <a href="#content" className={classes.skip}>
        {t("nav.skip")}
      </a>
      <nav className={classes.rail} aria-label={t("nav.label")}>
        <Link to="/" className={classes.brand} aria-label="AgentWeaver">
          <Mark size={26} />
          <span className={classes.word}>AgentWeaver</span>
        </Link>
        <Search narrow={inStudio} />
        <ul className={classes.places}>
          {PLACES.map(({ to, label, icon: Icon }) => (
            <li key={to}>
              <Tooltip label={t(label)} position="right" disabled={!inStudio}>
                <Link
                  to={to}
                  className={classes.place}
                  activeOptions={{ exact: to === "/" }}
                  aria-label={t(label)}
                >
                  <Icon size={18} stroke={1.6} aria-hidden />
                  <span className={classes.word}>{t(label)}</span>
                  {to === "/approvals" && waiting > 0 && <span className={classes.waiting}>{waiting}</span>}
                </Link>
              </Tooltip>
            </li>
          ))}
        </ul>
        <div className={classes.foot}>
          <ThemeSwitch />
        </div>
      </nav>
      <main id="content" className={classes.content} tabIndex={-1}>
        <ServerNotice />
        <Outlet />
      </main>
      <CommandPalette />
    </div>
  );
}

const IS_MAC = /Mac|iP(hone|ad)/.test(navigator.platform);

function Search({ narrow }: { narrow: boolean }) {
  const t = useT();
  return (
    <Tooltip label={t("nav.search")} position="right" disabled={!narrow}>
      <UnstyledButton className={classes.search} onClick={spotlight.open} aria-label={t("nav.search")}>
        <IconCommand size={16} stroke={1.6} aria-hidden />
        <span className={classes.word}>{t("nav.search")}</span>
        <kbd className={classes.keys}>{IS_MAC ? "⌘K" : "Ctrl K"}</kbd>
      </UnstyledButton>
    </Tooltip>
  );
}

function ThemeSwitch() {
  const t = useT();
  const { setColorScheme } = useMantineColorScheme();
  const current = useComputedColorScheme("light");
  const other = current === "light" ? "dark" : "light";
  const label = t("theme.toggle", { theme: t(`theme.${other}`) });
  return (
    <Tooltip label={label} position="right">
      <ActionIcon onClick={() => setColorScheme(other)} aria-label={label} size="lg">
        {other === "dark" ? <IconMoon size={18} stroke={1.6} /> : <IconSun size={18} stroke={1.6} />}
      </ActionIcon>
    </Tooltip>
  );
}
