import { type CSSVariablesResolver, type MantineColorsTuple, createTheme } from "@mantine/core";

const indigo: MantineColorsTuple = [
  "#eef1f9", "#dbe1f0", "#b9c5e2", "#93a6d3", "#7089c6", "#5472b6", "#3c5ba4", "#2f4b93", "#263e7c", "#1d3062",
];
const madder: MantineColorsTuple = [
  "#fbeeec", "#f5d9d5", "#ebb3ad", "#e18d86", "#d76a63", "#cd4f49", "#c43f3a", "#a82c2c", "#8c2424", "#6f1c1c",
];

/** The library's own greys have no hue; ours are those of the tokens. */
const dark: MantineColorsTuple = [
  "#e8e9ed", "#b7bcc7", "#9097a5", "#717a8a", "#414857", "#2a2f3a", "#20242d", "#191c23", "#12141a", "#0e1015",
];

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 7, dark: 6 },
  colors: { indigo, madder, dark },
  fontFamily: "var(--font-text)",
  fontFamilyMonospace: "var(--font-code)",
  headings: { fontFamily: "var(--font-text)", fontWeight: "600" },
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  defaultRadius: 6,
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "xs", fw: 550 } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    TextInput: { defaultProps: { size: "sm" } },
    NumberInput: { defaultProps: { size: "sm" } },
    Textarea: { defaultProps: { size: "sm", autosize: true } },
    Select: { defaultProps: { size: "sm" } },
    Switch: { defaultProps: { size: "sm" } },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: false, color: "dark" } },
    Menu: { defaultProps: { shadow: "md", transitionProps: { duration: 80 } } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.35 } } },
  },
});

/** Mantine's own surfaces take our tokens, which change with the colour scheme by themselves. */
export const cssVariables: CSSVariablesResolver = () => {
  const variables = {
    "--mantine-color-body": "var(--surface)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--ink-3)",
    "--mantine-color-placeholder": "var(--ink-3)",
    "--mantine-color-default": "var(--raised)",
    "--mantine-color-default-hover": "var(--sunken)",
    "--mantine-color-default-color": "var(--ink)",
    "--mantine-color-default-border": "var(--line)",
    "--mantine-color-error": "var(--madder)",
    "--mantine-color-anchor": "var(--indigo)",
    "--mantine-color-indigo-light": "var(--indigo-soft)",
    "--mantine-color-indigo-light-hover": "var(--indigo-line)",
    "--mantine-color-indigo-light-color": "var(--indigo)",
    "--mantine-color-gray-light-color": "var(--ink-2)",
    "--mantine-color-gray-light-hover": "var(--sunken)",
  };
  return { variables: {}, light: variables, dark: variables };
};
