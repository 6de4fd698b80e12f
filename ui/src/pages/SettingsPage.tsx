import { SegmentedControl, Select, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { healthQuery } from "@/api/queries";
import { ModelList } from "@/components/ModelList";
import { ProviderKeys } from "@/components/ProviderKeys";
import { QuotaForm } from "@/components/QuotaForm";
import { UsageList } from "@/components/UsageList";
import { type Language, LANGUAGES, useSpeech } from "@/i18n";
import { PageFrame, Section } from "@/ui/PageFrame";
import classes from "./SettingsPage.module.css";

export default function SettingsPage() {
  const { t, language, setLanguage } = useSpeech();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { data } = useQuery(healthQuery());
  return (
    <PageFrame title={t("nav.settings")}>
      <Section title={t("settings.look")}>
        <div className={classes.rows}>
          <div className={classes.row}>
            <span>{t("settings.theme")}</span>
            <SegmentedControl
              size="xs"
              aria-label={t("settings.theme")}
              value={colorScheme}
              onChange={(value) => setColorScheme(value as typeof colorScheme)}
              styles={{ innerLabel: { textTransform: "capitalize" } }}
              data={(["light", "dark", "auto"] as const).map((value) => ({ value, label: t(`theme.${value}`) }))}
            />
          </div>
          <div className={classes.row}>
            <span>{t("settings.language")}</span>
            <Select
              w={180}
              aria-label={t("settings.language")}
              allowDeselect={false}
              value={language}
              onChange={(value) => value && setLanguage(value as Language)}
              data={LANGUAGES}
            />
          </div>
        </div>
      </Section>
      <Section title={t("keys.title")}>
        <p className={classes.lead}>{t("keys.lead")}</p>
        <ProviderKeys />
      </Section>
      <Section title={t("models.title")}>
        <p className={classes.lead}>{t("models.lead")}</p>
        <ModelList />
      </Section>
      <Section title={t("quotas.title")}>
        <p className={classes.lead}>{t("quotas.lead")}</p>
        <QuotaForm />
      </Section>
      <Section title={t("usage.title")}>
        <p className={classes.lead}>{t("usage.lead")}</p>
        <UsageList />
      </Section>
      {data && (
        <Section title={t("settings.server")}>
          <dl className={classes.rows}>
            {[
              [t("settings.version"), data.version],
              [t("settings.store"), data.store === "postgresql" ? "PostgreSQL" : "SQLite"],
              [t("settings.role"), data.role],
            ].map(([label, value]) => (
              <div key={label} className={classes.row}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </Section>
      )}
    </PageFrame>
  );
}
