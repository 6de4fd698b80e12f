import { useMantineColorScheme } from "@mantine/core";
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconArrowRight, IconLanguage, IconPalette, IconRoute, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { workflowsQuery } from "@/api/queries";
import { type Key, LANGUAGES, useSpeech } from "@/i18n";
import { useCommands } from "./commands";

const PAGES: { to: string; label: Key }[] = [
  { to: "/", label: "nav.home" },
  { to: "/workflows", label: "nav.workflows" },
  { to: "/executions", label: "nav.executions" },
  { to: "/approvals", label: "nav.approvals" },
  { to: "/templates", label: "nav.templates" },
  { to: "/monitoring", label: "nav.monitoring" },
  { to: "/settings", label: "nav.settings" },
];

/** Everything that can be done, by a few letters of its name. Opens with ⌘K or Ctrl K. */
export function CommandPalette() {
  const { t, setLanguage } = useSpeech();
  const navigate = useNavigate();
  const { setColorScheme } = useMantineColorScheme();
  const workflows = useQuery(workflowsQuery()).data?.items ?? [];
  const ofPage = useCommands((state) => state.commands);

  const icon = (Icon: typeof IconSearch) => <Icon size={18} stroke={1.6} />;
  const commands: SpotlightActionData[] = [
    ...ofPage.map((command) => ({
      id: command.id,
      label: command.label,
      keywords: command.keywords,
      onClick: command.run,
      leftSection: icon(command.icon ?? IconArrowRight),
      rightSection: command.keys && <kbd>{command.keys}</kbd>,
    })),
    ...(["light", "dark", "auto"] as const).map((scheme) => ({
      id: `theme-${scheme}`,
      label: t("palette.theme", { name: t(`theme.${scheme}`) }),
      onClick: () => setColorScheme(scheme),
      leftSection: icon(IconPalette),
    })),
    ...LANGUAGES.map(({ value, label }) => ({
      id: `language-${value}`,
      label: t("palette.language", { name: label }),
      onClick: () => setLanguage(value),
      leftSection: icon(IconLanguage),
    })),
  ];
  const groups: SpotlightActionGroupData[] = [
    {
      group: t("palette.goTo"),
      actions: PAGES.map(({ to, label }) => ({
        id: to,
        label: t(label),
        onClick: () => void navigate({ to }),
        leftSection: icon(IconArrowRight),
      })),
    },
    {
      group: t("palette.workflows"),
      actions: workflows.map((workflow) => ({
        id: workflow.id,
        label: workflow.name,
        description: workflow.file,
        onClick: () => void navigate({ to: "/workflows/$id", params: { id: workflow.id } }),
        leftSection: icon(IconRoute),
      })),
    },
    { group: t("palette.commands"), actions: commands },
  ];
  return (
    <Spotlight
      actions={groups.filter((group) => group.actions.length > 0)}
      nothingFound={t("palette.nothing")}
      highlightQuery
      scrollable
      maxHeight={440}
      overlayProps={{ blur: 0, backgroundOpacity: 0.35 }}
      shortcut={["mod + K"]}
      searchProps={{
        leftSection: icon(IconSearch),
        placeholder: t("palette.placeholder"),
        "aria-label": t("palette.placeholder"),
      }}
    />
  );
}
